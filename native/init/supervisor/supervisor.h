/* Shared declarations of the supervisor: its state, its children, and one request. */
#ifndef RUNT_INIT_SUPERVISOR_H
#define RUNT_INIT_SUPERVISOR_H
#include "../init.h"
#include <poll.h>

/* An untouched table costs no memory. */
enum { CHILDREN_MAX = 4096 };
/* Processes that the container ends with: the parent of the runtime, and the runtime. */
enum { FOLLOWED_MAX = 2 };
/* Bytes of a request: the longest one has the paths of a container's cgroups. */
enum { REQUEST_MAX = 32768 };
/* A sibling is a process that a child made by CLONE_PARENT and that no request has named. A process
 * of the container can make such ones too, so nothing is recorded about them. */
enum kind { KIND_SIBLING, KIND_INIT, KIND_SUCCESSOR, KIND_JOINING, KIND_EXEC };

struct child {
  pid_t pid;
  enum kind kind;
  /* Its time limit, in ns on CLOCK_MONOTONIC; 0 for none. */
  uint64_t limit, stop_time;
  int stopping;           /* TERM was sent */
  const char *reason;     /* why it was signalled, or NULL */
  uint64_t registered_at; /* ns on CLOCK_MONOTONIC; of an exec: unlike its pid it is never reused */
  /* If its parent was a supervisor that was killed: */
  int pidfd;
  int watched;
  uint64_t ended; /* when that was seen: ns since 1970; 0 while it runs */
  uint64_t seen;  /* the same on CLOCK_MONOTONIC */
};

extern struct supervisor {
  int sync, listener, state;
  int heir;    /* successor of a killed supervisor: sync hands over the processes of that one */
  int watched; /* the number of watched children */
  int started; /* a container was started, or taken over */
  int awaited; /* its init process is a sibling of the started process, and not known yet */
  int ended;   /* and its init process has ended */
  int idle;    /* nothing is left to supervise */
  int followed[FOLLOWED_MAX]; /* pidfds of those that run; -1 for none */
  int follows;                /* the container ends with other processes */
  int orphaned;               /* one of them has ended before the container */
  int released;               /* the runtime has removed the cgroups, or keeps them */
  int unrecorded;             /* the end of the container could not be written */
  int freezer;                /* freezer.state or cgroup.freeze of the container; -1 for none */
} supervisor;

/* How a process ended. */
struct end {
  int lost;           /* the status is not known */
  const char *reason; /* why we signalled it, or NULL */
  int by_signal, number;
  uint64_t at; /* ns since 1970 */
};

/* One request. */
struct request {
  uint64_t flags, sync;
  enum kind kind;
  int fds[MESSAGE_FDS_MAX];
  int targets[MESSAGE_FDS_MAX]; /* descriptor numbers in the child; -1: not passed to the child */
  size_t count;
  int image, cgroup; /* indices into fds, -1 for none */
  const char *oom_file;
};

/* The system call that failed in a start. */
struct failure {
  int error;
  char call[16];
};

/* record.c: files in the state directory */
/* Makes sure that there will be space for `write_init_end`. 0, or -1 with errno. */
int reserve_init_end(void);
/* Writes how the init process ended. */
void write_init_end(pid_t pid, const struct end *end);
/* Reserves the space of `write_exec_end`, for an exec that an heir takes over. It goes on without
 * space. */
void reserve_exec_end(pid_t pid, uint64_t registered_at);
/* Writes how an exec ended. */
void write_exec_end(pid_t pid, uint64_t registered_at, const struct end *end);
/* Writes that an exec runs, with the start time: later processes can have its pid. 0, or -1 with
 * errno. */
int write_exec_running(const struct child *child, const char *start_time);
void remove_exec(pid_t pid, uint64_t registered_at);
/* Notes a record that may never be read, and removes the oldest of too many. */
void note_unread(pid_t pid, uint64_t registered_at);

/* children.c */
/* The entry of a child, or NULL when it is not in the table; 0: a free entry, or NULL when there
 * is none. */
struct child *find_child(pid_t pid);
/* Watches a process that is not our child. Its pid, or -errno. */
int watch_child(struct child *slot, struct child child, int pidfd);
/* Signals the children whose time has passed, and thaws the container. Returns ms until the next
 * one; -1 for none. */
int end_late_children(void);
/* Kills all children, because a followed process has ended. */
void kill_children(void);
/* Reaps all ended children. 0 when no child is left. */
int reap(void);
/* Fills in what to poll for the watched processes. Returns how many; *late: one has ended that its
 * parent has not reaped. */
size_t poll_watched(struct pollfd fds[CHILDREN_MAX], int *late);
/* Looks at the watched processes after that poll. */
void check_all_watched(const struct pollfd fds[CHILDREN_MAX], size_t count);

/* followed.c */
/* FOLLOW_REQUEST, "1" to remove the cgroups or "0", their paths, with one or two pidfds. */
int follow(const char *const fields[], int n, const struct request *r);
/* Notes which of the followed processes have ended, and then ends the container. */
void end_with_followed(const struct pollfd fds[FOLLOWED_MAX]);
/* Whether an idle supervisor may end: nothing is followed, or its cgroups are removed after all
 * that was followed. */
int follows_nothing(void);
/* ms until the next attempt to remove the cgroups; -1 for none. */
int removal_pause(void);

/* child-start.c: returns the child's pid, its pidfd in *pidfd; or -errno, the failed call in *f. */
int start_child(const struct request *r, int *pidfd, struct failure *f);

/* request.c */
/* Reads one request and answers it. 0, or -1 when the other end is gone. */
int serve(int connection);
/* Serves one connection to the listener. */
void accept_one(void);
#endif
