/** How long runt waits, in milliseconds unless the name says otherwise; C alone: native/core/time-limits.h. */

// sys

/** A listener whose queue is full accepts older connections in this time. */
export const connectTime = 10_000;
/** A server without events for this long is idle and returns memory to the kernel. */
export const idleAfter = 200;
/** The longest pause between two looks at what cannot be watched. */
export const longestLookPause = 50;

// cgroups and systemd

/** systemd answers at once, but a job may wait for other jobs. */
export const busAnswerTime = 30_000;
/** For a systemd that may have shown already that it does not answer. */
export const lastBusAnswerTime = 5_000;
/** When the signal of a job's end is missing, the job is looked up this often. */
export const jobLookInterval = 2_000;
/** Between two attempts of a call that systemd did not answer. */
export const busRetryPause = 100;
/** Killed processes leave their cgroup in this time. */
export const cgroupRemovalTime = 5_000;
/** The longest pause between two attempts to remove a cgroup. */
export const longestRemovalPause = 100;
/** Freezing is given up then and taken back: a process that hangs in the kernel (a dead network file system) never freezes. */
export const freezeTime = 10_000;
/** v1: FROZEN is written again this often, because a process that forks at the wrong moment keeps the cgroup at FREEZING. */
export const freezeRetryInterval = 50;
/** The longest pause between two looks at a freezer. */
export const longestFreezerPause = 20;
/** The kernel reports two memory events at least 10 ms apart (cgroup_file_notify); the rest is for a busy machine. */
export const recentMemoryEvent = 1_000;

// processes

/** A killed process that does not end in this time is stuck in the kernel; cleaning up goes on without it. */
export const killedProcessTime = 10_000;
/** The same for all processes of a container's cgroups. */
export const killedOccupantsTime = 5_000;
/** The parent of a process reaps it in this time: process 1 may take seconds. */
export const reapTime = 10_000;
/** A container that is being killed ends this soon after an exec failed in it. */
export const endAfterExec = 500;
/** A process that is being killed closes its connection at most this long before it ends. */
export const endAfterHangUp = 200;
/** A container that moves its processes to other cgroups has done so in this time. */
export const cgroupMoveTime = 5_000;
/** Between two looks whether it has. */
export const cgroupMovePause = 5;
/** newuidmap and newgidmap read two small files and write one. */
export const idMapHelperTime = 10_000;

// supervisors, records, hooks

/** A supervisor answers at once, unless it is being ended. */
export const supervisorAnswerTime = 10_000;
/** The longest pause between two attempts to reach a supervisor. */
export const supervisorRetryPause = 50;
/** A supervisor ends in this time after its container; one that took over may wait longer for the process to be reaped. */
export const supervisorEndTime = 1_000;
/** The longest pause between two looks for an exit record. */
export const longestRecordPause = 100;
/** A hook that runs longer is reported as slow. */
export const slowHookTime = 30_000;
/** The child of a killed `delete` holds the lock of the poststop hooks until it executes the hook. */
export const poststopLockTime = 1_000;
/** Service managers that do not know BARRIER never answer it. */
export const notifyBarrierTime = 30_000;
/** A terminal that no process of the container has open is looked at again after at most this time. */
export const longestTerminalPause = 100;

/** Statistics are read this often when the caller of the library sets no interval. */
export const statsInterval = 5_000;

// criu

/** A program that only prints its version. */
export const criuVersionTime = 10_000;
/** criu ends by itself in this time after its last answer. */
export const criuEndTime = 1_000;

// the shim

/** Between two attempts to publish an event: the first pause, and the longest. */
export const firstPublishPause = 100;
export const longestPublishPause = 2_000;
/** containerd answers a published event in this time. */
export const publishAnswerTime = 10_000;
/** Between two looks whether it has. */
export const publishLookInterval = 1_000;
/** `Shutdown` waits this long for events that are not yet published. */
export const publishFlushTime = 5_000;
/** containerd writes the input of `start` at once. */
export const startInputTime = 1_000;
/** A log program is ready in this time. */
export const logProgramTime = 10_000;
/** Between SIGTERM and SIGKILL for a log program. */
export const logProgramEndTime = 2_000;
/** Whoever waits for a child takes its status in this time; the reaper takes it then. */
export const orphanTime = 2_000;
/** Between two looks for orphans. */
export const orphanInterval = 5_000;
/** Between two looks at a process when one fails. */
export const failedLookPause = 1_000;
/** `Delete` waits this long for what the process wrote. */
export const drainTime = 10_000;
/** A reader opens a fifo in this time, before anything is written and again when all is written. */
export const fifoReaderTime = 3_000;
/** Between two looks for that reader, and between two whether it has read everything. */
export const fifoOpenPause = 2;
export const fifoDrainPause = 20;
/** runt-init sends the terminal's master at once. */
export const consoleTime = 10_000;
/** A living supervisor writes the record of an ended process in this time; containerd ends `delete` after 5 s. */
export const exitRecordTime = 2_000;
/** A supervisor that ends sooner than this after its start doubles the pause before the next one, up to the second value. */
export const supervisorLeastLife = 1_000;
export const longestRestartPause = 10_000;
/** Node.js starts and connects in this time. */
export const grpcStartTime = 10_000;
/** Between two looks whether it has. */
export const grpcStartPause = 5;
/** containerd writes its version in this time. */
export const clientVersionTime = 2_000;
/** A client that connects is seen in this time. */
export const clientLookTime = 50;
/** A server without container, event and client stays this long, in seconds; RUNT_SHIM_IDLE overrides it. */
export const idleServerSeconds = 60;
/** The answer to `Shutdown` is sent in this time. */
export const lastAnswerTime = 20;
/** The last answers of the gRPC server are sent in this time. */
export const grpcLastAnswersTime = 2_000;
/** Whoever holds the lock looks whether a server answers, and starts one. */
export const serverLockTime = 30_000;
/** With too many descriptors open, no connection is accepted for this long. */
export const acceptPause = 100;
/** Between two lines of the log about refused clients, which connect again at once. */
export const refusalLogInterval = 10_000;
