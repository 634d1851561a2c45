/** Time limits and pauses, in milliseconds unless the name has another unit; those of C: native/core/time-limits.h. */

/** Exit status of a command whose time limit has passed, as of timeout(1). */
export const timeoutStatus = 124;

// sys

/** A listener with a full queue accepts older connections in this time. */
export const connectTime = 10_000;
/** A server without events for this long is idle and returns memory to the kernel. */
export const idleAfter = 200;
/** The longest pause between two polls of something that cannot be watched. */
export const longestPollPause = 50;

// cgroups and systemd

/** systemd answers at once, but a job may wait for other jobs. */
export const busAnswerTime = 30_000;
/** For a systemd that may have failed to answer already. */
export const lastBusAnswerTime = 5_000;
/** Interval between two look-ups of a job, in case the signal of its end is lost. */
export const jobPollInterval = 2_000;
/** Pause before a retry of a call that systemd did not answer. */
export const busRetryPause = 100;
/** Killed processes leave their cgroup in this time. */
export const cgroupRemovalTime = 5_000;
/** The longest pause between two attempts to remove a cgroup. */
export const longestRemovalPause = 100;
/** Then freezing is cancelled: a process that hangs in the kernel (a dead network file system) never freezes. */
export const freezeTime = 10_000;
/** v1: interval between two writes of FROZEN, because a fork at the wrong time keeps the cgroup at FREEZING. */
export const freezeRetryInterval = 50;
/** The longest pause between two polls of a freezer. */
export const longestFreezerPause = 20;
/** The kernel reports memory events at least 10 ms apart (cgroup_file_notify); the rest is for a busy machine. */
export const recentOomEvent = 1_000;

// processes

/** A foreground command whose process runs for this long becomes a waiter, which needs less memory. */
export const waiterAfter = 200;
/** Between a container's stop signal and KILL, as for engines. */
export const stopTime = 10_000;
/** A create whose process was killed undoes itself in this time, unless it waits for a hook. */
export const unfinishedCreateTime = 2_000;
/** A killed process that does not end in this time is stuck in the kernel; the cleanup continues without it. */
export const killedProcessTime = 10_000;
/** The same for all processes of a container's cgroups. */
export const killedOccupantsTime = 5_000;
/** The parent of a process reaps it in this time: process 1 may take seconds. */
export const reapTime = 10_000;
/** A container that is being killed ends within this time after an exec has failed in it. */
export const endAfterExec = 500;
/** A killed process ends within this time after its connection has closed. */
export const endAfterHangUp = 200;
/** A container moves its processes to other cgroups in this time. */
export const cgroupMoveTime = 5_000;
/** Pause between two polls for that. */
export const cgroupMovePause = 5;
/** newuidmap and newgidmap read two small files and write one. */
export const idMapHelperTime = 10_000;

/** ps prints the processes of a busy host in this time. */
export const psTime = 30_000;

// supervisors, records, hooks

/** A supervisor answers at once, unless it is being killed. */
export const supervisorAnswerTime = 10_000;
/** Another runt looks at a few small files while it holds the lock of a layer's parent, or removes stale layers. */
export const layerLockTime = 10_000;
/** The longest pause between two attempts to reach a supervisor. */
export const supervisorRetryPause = 50;
/** A supervisor ends in this time after its container; a replacement may wait longer until the process is reaped. */
export const supervisorEndTime = 1_000;
/** The longest pause between two polls for an exit record. */
export const longestRecordPause = 100;
/** A hook that runs longer is reported as slow. */
export const slowHookTime = 30_000;
/** The child of a killed `delete` holds the lock of the poststop hooks until it executes the hook. */
export const poststopLockTime = 1_000;
/** A CNI plugin, pasta or slirp4netns: DHCP takes seconds. */
export const networkProgramTime = 60_000;
/** Another command changes the container's network, and its process ends with that command. */
export const networkLockTime = 30_000;
/** Service managers without BARRIER never answer it. */
export const notifyBarrierTime = 30_000;
/** The longest pause between two polls of a terminal that no process of the container has open. */
export const longestTerminalPause = 100;

// the library

/** The default interval between two statistics. */
export const statsInterval = 5_000;
/** The work of a program's event loop that may pass before its other events have their turn. */
export const turnTime = 2;
/** From a program's second process to the thread of the library: a program that ends soon does not pay for it. */
export const threadStartPause = 50;
/** Interval between two looks at a file of output that is followed. */
export const followInterval = 50;
/** Default of `waitFor`, as in testcontainers: the time limit, and the longest pause between two looks. */
export const waitForTime = 60_000;
export const waitForInterval = 100;
/** A wait that an AbortSignal may end, and that polls, looks for that after this time. */
export const earlyEndInterval = 1_000;
/** A program reads the last output of an ended container from a pipe in this time. */
export const lastOutputTime = 50;

// criu

/** A program that only prints its version. */
export const criuVersionTime = 10_000;
/** criu exits in this time after its last answer. */
export const criuEndTime = 1_000;

// the shim

/** Between two attempts to publish an event: the first pause, and the longest. */
export const firstPublishPause = 100;
export const longestPublishPause = 2_000;
/** containerd answers a published event in this time. */
export const publishAnswerTime = 10_000;
/** Interval between two checks for that answer. */
export const publishPollInterval = 1_000;
/** `Shutdown` waits this long for unpublished events. */
export const publishFlushTime = 5_000;
/** containerd writes the input of `start` at once. */
export const startInputTime = 1_000;
/** A log program is ready in this time. */
export const logProgramTime = 10_000;
/** Between SIGTERM and SIGKILL for a log program. */
export const logProgramEndTime = 2_000;
/** Code that waits for a child reaps it in this time; then the orphan reaper does. */
export const orphanTime = 2_000;
/** Interval between two searches for orphans. */
export const orphanInterval = 5_000;
/** Pause before a retry of a failed look at a process. */
export const processRetryPause = 1_000;
/** `Delete` waits this long for the process's output. */
export const drainTime = 10_000;
/** A terminal passes on the last output of a process that has ended in this time. */
export const lateOutputTime = 200;
/** Interval between two looks at the containers, for clients that watch them. */
export const watchInterval = 1_000;
/** The shortest pause between two of them. */
export const watchPause = 20;
/** A reader opens a fifo in this time: waited for before the first byte, and again after the last one. */
export const fifoReaderTime = 3_000;
/** containerd connects to a stream again in this time, after it was killed or its process has ended. */
export const streamClientTime = 60_000;
/** Pauses between two polls for that reader, and between two polls for an empty fifo. */
export const fifoOpenPause = 2;
export const fifoDrainPause = 20;
/** runt-init sends the terminal's master at once. */
export const consoleTime = 10_000;
/** A running supervisor writes the record of an ended process in this time; containerd kills `delete` after 5 s. */
export const exitRecordTime = 2_000;
/** A supervisor that lives shorter than this doubles the pause before the next start, up to the second value. */
export const supervisorMinLifetime = 1_000;
export const longestRestartPause = 10_000;
/** A gRPC server starts in this time, with many others on a busy machine. */
export const grpcStartTime = 60_000;
/** containerd answers with its version in this time. */
export const clientVersionTime = 2_000;
/** A client of the socket for deletes sends its request in this time. */
export const holdRequestTime = 10_000;
/** A server that does not answer `delete` in this time hangs: its container is deleted. */
export const holdAnswerTime = 1_000;
/** After that a busy server runs, or waits for a CPU, at some time within these. */
export const busyServerTime = 250;
/** The holder of a delete answers whether containerd still reads in this time, which is a part of the above. */
export const holdReaderTime = 500;
/** After the answer of Delete, containerd forgets the container in this time, if it does not say so by Shutdown. */
export const heldAnswerPause = 250;
/** A new connection becomes visible in this time. */
export const clientPollTime = 50;
/** A server without container, event and client ends after this many seconds; RUNT_SHIM_IDLE overrides it. */
export const idleServerSeconds = 60;
/** The keeper of a node, or the server, sends a request or its answer in this time. */
export const keeperRequestTime = 5_000;
/** A keeper that was just started listens in this time already: its socket is made before. This is for its start. */
export const keeperStartTime = 10_000;
/** containerd kills `delete` after 5 s. */
export const handOverTime = 4_500;
/** containerd 2.4 runs `delete` first, and calls Create in this time after it has made the bundle. */
export const expectedCreateTime = 60_000;
/** A running server says in this time whether it has a container; the rest of handOverTime is for the keeper. */
export const serverAnswerTime = 2_000;
/** The longest pause between two attempts to start a keeper in place of one that was killed. */
export const longestKeeperPause = 1_000;
/** The answer to `Shutdown` is sent in this time. */
export const lastAnswerTime = 20;
/** The last answers of the gRPC server are sent in this time. */
export const grpcLastAnswersTime = 2_000;
/** A client of the gRPC server begins HTTP/2 in this time. */
export const http2PrefaceTime = 10_000;
/** The message of a unary call arrives in this time, checked at that interval. */
export const requestTime = 30_000;
export const requestCheckInterval = 5_000;
/** The holder of the lock checks whether a server answers, and starts one, in this time. */
export const serverLockTime = 30_000;
/** Pause of the accept loop after an error, such as too many open descriptors. */
export const acceptPause = 100;
/** Interval between two log lines about refused clients, which reconnect at once. */
export const refusalLogInterval = 10_000;

// doctor
/** A trial container is created, started and stopped in this time, and deleted in this time. */
export const trialTime = 10_000;
/** systemd's manager answers `runt doctor` in this time. */
export const doctorBusTime = 5_000;

// install
/** Another `runt install` for the same engine ends in this time. */
export const installLockTime = 10_000;
/** A program of an engine prints its version or its config in this time. */
export const engineAnswerTime = 20_000;
/** An engine runs a container of `runt install` in this time. */
export const engineRunTime = 120_000;
