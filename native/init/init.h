/* Shared declarations of runt-init: the state of its one plan, failures, functions of each file. */
#ifndef RUNT_INIT_H
#define RUNT_INIT_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../core/mounts/mount-flags.h"
#include "decode.h"
#include "protocol.h"
#include "syscalls.h"
#include "text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Identity of the file that a descriptor refers to. */
struct identity {
  int64_t mount; /* as mountinfo and fdinfo count them */
  uint64_t device, inode;
  mode_t type; /* S_IFMT */
  int is_root; /* the root of that mount; -1: not known */
};

struct init {
  int report;       /* where reports go: the sync socket, later the accepted start connection */
  int start_socket; /* -1: the start message arrives on the sync socket */
  int *slots;       /* trees that the runtime or cloneSource opened; -1 before and after use */
  uint32_t slot_count;
  uint32_t runtime_slots; /* how many of them, from index 0, the runtime fills */
  int proc;               /* private procfs */
  int root;               /* root mount of the container, O_PATH */
  struct identity rootfs; /* the directory at root.path */
  int detached;           /* holds the detached tree of the root; -1 with a mount namespace */
  int user_namespace;     /* becomeRoot was done */
  unsigned keep;          /* descriptors from 3 on that the process gets */
  int mask_tree;      /* an empty read-only tmpfs that is mounted already; -1 before the first */
  char *executable;   /* result of findExecutable */
  uint64_t named_uid; /* result of namedUser */
  uint32_t current;   /* index of the current operation in the whole plan */
  uint32_t blamed;    /* index + 1 of the operation that failed, if it is not the current one */
  unsigned long inherited_propagation; /* MS_* that hostPropagation set, without MS_REC */
  unsigned covered_roots;              /* number of roots that mounts on `/` covered */
  int64_t covered_root;                /* mount id of the uppermost of these */
  int chrooted;                        /* runt is known to be in a chroot */
  int root_shown;                      /* the root is at its path, no longer over / */
  int joined_mounts;                   /* the mount namespace has other processes */
  int hooks_ran;                       /* hooks ran, and may have mounted something in the root */
  uint32_t host_pid; /* pid of this process as the runtime sees it; known after awaitHooks */
};
extern struct init init;

/* Records why the current operation failed and returns -1: `syscall`, the current errno, and
 * `detail` (may be NULL). */
int fail(const char *syscall, const char *detail);
/* The same with the errno `error`. */
int fail_with(int error, const char *syscall, const char *detail);
/* The same; later failures do not replace this reason. */
int fail_for_good(int error, const char *syscall, const char *detail);

/* main.c: takes the descriptor out of a slot; the caller owns it then. -1 when the slot is empty,
 * or is -1 itself. */
int take_slot(int slot);

/* report.c */
int read_fully(int fd, void *data, size_t length);
/* Waits until the runtime lets this process continue. -1 when the runtime is gone. */
int await_go(void);
/* 0, or -1 when the runtime is gone. */
int report_created(void);
int report_hooks(void);
/* Reports that a hook still runs after SLOW_MS; `index` is its index in the config. */
void report_slow(const char *point, uint64_t index);
void report_exec(void);
void report_pid(uint64_t pid, int pidfd);
/* Sends one frame, without its length, with a descriptor. 0, or -1 with errno. */
int send_with(const char *data, size_t length, int fd);
int report_await(uint32_t index);
/* Reports the MOUNT_ATTR_* flags that an operation could not clear: of its mount, and in
 * `recursive` of all mounts below it. 0, or -1 when the runtime is gone. */
int report_locked_flags(uint32_t index, uint64_t locked, uint64_t recursive);
/* Reports that an operation bound a mount of the host instead of a new one. 0, or -1 when the
 * runtime is gone. */
int report_bound(uint32_t index);
/* Asks the runtime to make a uid of this user namespace the owner of stdio: bits 0, 1 and 2 of
 * `fds`. */
int report_stdio(uint64_t uid, unsigned fds);
/* Not an operation: the failure came before the first one. */
#define NO_OPERATION UINT32_MAX
void report_failure(uint32_t index);
/* Reports why a second mode of this program did not start. Its exit status. */
int report_not_started(void);
void trace_enable(uint32_t operations);
uint64_t trace_now(void);
/* The clock jumped right after `before`: later times continue from there. */
void trace_rebase(uint64_t before);
void trace_add(uint32_t index, uint64_t start);

/* root/resolve.c: resolution of every path in the container */
/* Opens path inside the root, never outside, with O_PATH|O_CLOEXEC|flags. A path below a mount of
 * the plan starts at that mount's descriptor. The descriptor, or -1 with errno. `found` gets the
 * path without symlinks; it may be NULL. */
int resolve(const char *path, int flags, uint64_t restrictions, char found[PATH_MAX]);
/* The same, but makes what is missing: the last component with the type and permissions of `kind`
 * (S_IFDIR or S_IFREG), directories above it with 0755. *existed: nothing was missing. */
int resolve_or_make(const char *path, mode_t kind, uint64_t restrictions, int *existed,
                    char found[PATH_MAX]);
/* Opens the directory that holds path (made when missing); *name is the last component. */
int resolve_parent(const char *path, const char **name, char found[PATH_MAX]);
/* Opens what a process in the container sees at path, whatever the plan mounted. */
int resolve_shown(const char *path, int flags);
/* Opens path, which has no `..`, below dir. Fails on any symlink on the way, not on a mount. */
int resolve_below(int dir, const char *path);
/* Copies a path without repeated slashes and `.`: 1, 0 when it has a `..`, or -1 with errno. */
int clean_path(const char *path, char out[PATH_MAX]);

/* mounts/mount-table.c: the mounts that the plan has made */
struct made;
/* Origin of a mount. */
enum {
  KERNEL_NAMES = 1, /* proc or sysfs: no process can rename its files */
  NEW_FILES = 2,    /* a tmpfs that was empty: all its files were made here */
  REPEATS = 4,      /* a recursive clone of the directory that it covers, with the mounts below */
};
/* Records the mount *tree, attached at `found` (from resolve) in the mount `holder`; `named` is
 * its path in the plan. The table keeps or closes the descriptor, and sets *tree to -1. 0, or -1
 * with errno. */
int note_mount(int *tree, const char *named, const char *found, int64_t holder, unsigned traits);
/* The deepest mount of the plan that holds path (clean, without `..`), and the rest of path; NULL
 * for the root. */
const struct made *made_above(const char *path, const char **rest);
/* The mount whose mount point is path; NULL for none. */
const struct made *made_on(const char *path);
const char *made_path(const struct made *m);
/* Opens its root: a new descriptor, or -1 with errno. */
int made_open(const struct made *m);
/* The descriptor that the table keeps; -1 for none. */
int made_descriptor(const struct made *m);
/* The mount with this id, at any path; NULL when the plan did not make it. */
const struct made *made_by_id(int64_t id);
/* Blames the operation that made the mount for the next failure; returns -1 with errno. */
int mount_moved(const struct made *m);
/* Closes the descriptors: nothing more is resolved from them, or the root has changed. */
void forget_mounts(void);

/* proc.c */
int is_procfs(int fd);
/* Opens a file of this process below the private procfs. */
int proc_open_self(const char *name, int flags);
/* Opens a namespace of this process by its name in /proc/self/ns. */
int proc_open_namespace(const char *name);
/* Opens a file below the private procfs; follows no symlink and crosses no mount. */
int proc_open(const char *path, int flags);

/* mounts/mountinfo.c */
/* 0, or -1 with errno. */
int identify(int fd, struct identity *of);
/* Whether `now` is the root of the same mount as `was`. */
int same_root(const struct identity *now, const struct identity *was);
/* The id of the mount that fd is on; -1 with errno. */
int64_t mount_id(int fd);
/* Reads all of mountinfo; NULL after fail(). */
char *mountinfo_read(void);
/* One line: the ids of a mount and its parent, the mount point (escaped), what follows " - ". */
struct mountinfo {
  int64_t id, parent;
  const char *target, *type;
  size_t target_length;
};
/* Parses the line at `at`. Returns the next line, or NULL at the end. */
const char *mountinfo_next(const char *at, struct mountinfo *line);
/* Unescapes the mount point of a line. 0, or -1 after fail(). */
int mountinfo_target(const struct mountinfo *line, char to[PATH_MAX]);

/* root/chroot.c */
/* Turns the root of this process, a plain directory, into a mount. 0, or -1 after fail(). */
int mount_chroot(void);
/* Leaves the chroot that this process may be in: 1, also if it has left it before; 0 when it is in
 * none or may not leave it; -1 after fail(). */
int leave_chroot(void);
/* Whether the root of this process is the kernel's first file system: 0, 1 or -1 after fail(). */
int is_ramdisk(void);
/* Makes the container's root the root of this process, which is a ramdisk, and detaches all other
 * mounts on that. move: the container's root is not over `/`. 0, or -1 after fail(). */
int cover_ramdisk(int move);

/* mounts/overlay.c */
/* Whether an option names one layer of an overlay: lowerdir+= or datadir+=. */
int is_layer(const char *option);
int is_overlay(const char *type);
/* Whether an option of an overlay names one directory. */
int is_directory_option(const char *option);
/* Passes such a directory by descriptor (Linux 6.13), as its path may be longer than fsconfig(2)
 * takes. 0, or -1 with errno. */
int set_directory(int fs, const char *option);
/* Appends all layers of a list of options as the one `lowerdir=` that mount(2) takes. */
void layers_add(struct text *t, const struct value *options);

/* devices/symlink.c */
/* What to do with an existing file at the path that is not this link. */
enum existing { EXISTING_STAYS, EXISTING_FAILS, EXISTING_REPLACED };
/* 0, or -1 after fail(). */
int make_symlink(const char *content, const char *path, enum existing existing);

/* mounts/fs-context.c */
/* fail(), with the kernel's message about the file system's context, if there is one. */
int fail_context(int fs, const char *syscall, const char *what);
/* Sets one option of a plan, `key` or `key=value`. 0, or -1 with errno. */
int set_option(int fs, const char *option);

/* mounts/copy-up.c */
/* Copies the content of `directory` into the new file system at `tree`, and its owner if `owner`.
 * 0, or -1 with errno. */
int copy_up(int directory, int tree, int owner);

/* mounts/mount-attributes.c */
/* Applies the id maps of a user namespace to a detached mount. 0, or -1 with errno. */
int map_ids(int fd, int user_namespace, int recursive);
/* Sets and clears MOUNT_ATTR_* of the mount at fd; `recursive`: of all mounts below it too. 0, or
 * -1 with errno. */
int set_attributes(int fd, uint64_t set, uint64_t clear, int recursive);
/* The same, but keeps a flag to clear that the host locked (mount_namespaces(7)), and adds it to
 * *locked. 0, or -1 with errno. */
int set_unlocked_attributes(int fd, uint64_t set, uint64_t clear, int recursive, uint64_t *locked);
/* Makes the mount at fd and each mount below it read-only, one by one: where mount_setattr(2) is
 * refused. 0, or -1 after fail(). */
int set_all_readonly(int fd, const char *path);
/* mount(2), which needs a path, on the file of fd. Only this process can change the path: its own
 * descriptors in the private procfs. To reach them this changes the working directory, which the
 * operation `cwd` sets again before anything is executed. */
int mount_on(int fd, const char *source, const char *type, unsigned long flags, const char *data);
/* Opens the root of the topmost mount on the directory fd; -1 with errno. */
int open_mounted_on(int fd);

/* mounts/old-mount-api.c: trees, also where the mount API of Linux 5.2 is refused */
/* open_tree(2) with OPEN_TREE_CLONE. The tree, or -1 with errno; ENOSYS: both it and mount(2) are
 * refused. */
int clone_mount(int dirfd, const char *path, unsigned flags);
/* Makes a new file system with MS_* flags. The tree, or -1 with errno. */
int stage_fs(const char *type, unsigned long flags, const char *data);
/* move_mount(2) of a tree, attached or detached, onto a descriptor. 0, or -1 with errno. */
int move_tree(int tree, int target);
/* Whether clones are staged in the host's tree. */
int is_staging(void);
/* Names of the system calls that clone_mount and move_tree use. */
const char *clone_call(void);
const char *move_call(void);
/* The root has changed: what is staged stays with the old one. */
void leave_staging(void);
/* Unmounts the staging directory, which lies over the root. 0, or -1 with errno. */
int drop_staging(void);

/* mounts/mount.c: moves a finished tree of the plan onto target and records it
 * (mounts/mount-table.c). `path` is its path in the plan, `found` the one from resolve. 0, or -1
 * with errno. */
int put_mount(int *tree, int target, const char *path, const char *found, unsigned traits);
/* Applies propagation, a list of MS_* flags, in order. 0, or -1 with errno. */
int set_propagation(int fd, const struct value *list);

/* process/exec.c: NULL when memory is exhausted */
/* "HOME=" and the directory of a uid in the container's /etc/passwd, "/" when it has none. */
char *home_entry(uint64_t uid);
/* A list as a vector for execve(2), with the entries of `more` that are not NULL. */
char **string_vector(const struct value *list, char *const *more, size_t count);

/* seccomp/seccomp.c */
/* Whether a filter is loaded, or is to be loaded right before the exec. */
int filter_loaded(void);
int filter_pending(void);
/* Reports the exec and loads the filter; with an agent, waits until that has the listener. 0, or
 * -1 after fail(). */
int apply_late_filter(void);
/* In a hook's process: loads the filter of the exec, without a listener, as no agent serves hooks.
 * 0, or -1 with errno. */
int apply_filter_to_hook(void);

/* seccomp/last-report.c */
/* Shares the page for the last report with the reader of the reports. Without the page, a failure
 * under the filter is reported by send or write, if the filter allows them. */
void share_last_report_page(void);
/* Writes a report into the shared page and ends the process; returns when there is no page. */
void write_last_report(const char *frame, size_t length);
/* Forgets the page: from now on reports have another reader. */
void forget_last_report_page(void);

/* process/descriptors.c: makes uid the owner of stdio; `pipes`: only of pipes. 0, or -1 after
 * fail(). */
int give_stdio(uid_t uid, int pipes);

/* The highest id: the system calls take 2^32-1 as "no change". */
#define ID_MAX ((uint64_t)UINT32_MAX - 1)

/* ids/identity.c */
struct user {
  uint64_t uid, gid;
  const gid_t *groups;
  size_t group_count;
  bool set_groups, groups_optional;
  const struct value *umask;
};
/* Becomes the user. 0, or -1 after fail(). */
int become_user(const struct user *user);
/* The groups of a list, with room for `more` others. NULL after fail(). */
gid_t *group_list(const struct value *list, size_t more);

/* process/capabilities.c: sets the capability sets of this process. 0, or -1 with errno. */
int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable);

/* process/reaper.c: with the operation `reaper`, makes a child, which goes on to the execve; this
 * process becomes the reaper, and never returns. 0 in the child and without the operation; -1 after
 * fail(). */
int fork_reaper(void);

/* process/rlimit.c: sets the limit on descriptors that had to wait for the exec. 0, or -1 after
 * fail(). */
int apply_late_limit(void);
/* Raises the soft limit on descriptors until the exec. 0, or -1 if that fails. */
int raise_descriptor_limit(void);

/* process/detach.c: closes stdio and all other descriptors but `keep` (3 or higher), which a later
 * exec closes; leads a new session, in /, under that name. 0, or -1 after fail(). */
int detach(const char *name, const int keep[], size_t count);

/* supervisor/supervisor.c: runs the supervisor mode. Returns the exit status. */
int supervise(const char *data, size_t length);

/* A program to execute later. */
struct command {
  char **words, **environment;
};
/* command.c: decodes the rest of a frame: the number of arguments, the arguments, the environment.
 * The frame stays in use. 0, or -1 with errno. */
int next_command(struct cursor *c, struct command *command);

/* holder.c: runs the holder mode. Returns the exit status. */
int hold_answer(char *data, size_t length);

/* guard.c: runs the guard mode. Returns the exit status. */
int guard_exec(char *data, size_t length);

/* waiter.c: runs the waiter mode for the child of the pidfd `process`, by a frame. Returns the exit
 * status, which is `failed` if it cannot wait; it has killed the child then. */
int await_end(int process, int failed, char *data, size_t length);
/* The same without a frame: it kills the child. `what` has failed, with errno. */
int end_unawaited(int process, int failed, const char *what);

#define CLEANUP_CLOSE __attribute__((cleanup(close_cleanup)))
static inline void close_cleanup(int *fd) {
  if (*fd >= 0) {
    int saved = errno;
    close(*fd);
    errno = saved;
  }
}
#endif
