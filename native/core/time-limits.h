/* Time limits of C, in milliseconds unless the name says otherwise, and numbers of retries. */
#ifndef RUNT_TIME_LIMITS_H
#define RUNT_TIME_LIMITS_H
#include "protocol.h" /* those that C and TypeScript share */

enum {
  /* A service manager reads its notifications at once. send(2) on a full queue blocks without
   * limit. */
  NOTIFY_SEND_TIME = 1000,
  /* The reader of a socket makes room in this time. One that is stopped never does. */
  WRITE_TIME = 10000,
  /* A client of the supervisor writes its request at once. One that does not is dropped, because
   * the supervisor serves one client at a time. */
  REQUEST_TIME = 2000,
  /* A supervisor answers at once. The guard of an exec kills the process anyway. */
  NOTICE_TIME = 1000,
  /* A program that writes to a FIFO for runt opens it at once. */
  FIFO_OPEN_TIME = 1000,
  /* A process that the waiter kills, because it cannot wait for it, ends in this time. */
  UNAWAITED_END_TIME = 2000,
  /* The kernel takes a killed process out of its cgroup within milliseconds, unless it hangs. */
  CGROUP_REMOVAL_TIME = 10000,
  CGROUP_REMOVAL_PAUSE = 10,
  /* Between two checks of an ended process that its parent has not reaped: no event reports the
   * reaping. */
  REAP_POLL_INTERVAL = 1000,
  /* A debugger reaps the process that it traces at once, and its parent after it; for one second.
   */
  TRACER_PAUSE_NS = 1000000,
  TRACER_TRIES = 1000,
  /* Between two checks whether the filter is loaded: about one system call of the other process. */
  FILTER_POLL_PAUSE_NS = 20000,
  /* A mount on which a file is open for writing cannot become read-only (EBUSY). A daemon that a
   * hook left may write, or update an access time, briefly: retry for three seconds in all. */
  READONLY_PAUSE_NS = 1000000,
  READONLY_TRIES = 3000,
  /* Between two attempts to accept a connection when the kernel lacks memory or descriptors. */
  ACCEPT_PAUSE_NS = 10000000,
  /* A concurrent rename or mount ends a walk of openat2(2) with EAGAIN; each try is a new race. */
  WALK_TRIES = 128,
  /* The kernel ends the load of a BPF program with EAGAIN when it has work for this thread, which
   * it does when the call returns. */
  BPF_LOAD_TRIES = 10,
  /* Passes over a directory during its removal: another process may add names meanwhile. */
  REMOVE_PASSES = 3,
};
#endif
