/* What the files of runt-init share: the state of the one plan that it performs, and how an
 * operation fails. */
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

/* What a descriptor names. */
struct identity {
  int64_t mount; /* as mountinfo and fdinfo count them */
  uint64_t device, inode;
  mode_t type; /* S_IFMT */
  int is_root; /* the root of that mount; -1: not known */
};

struct init {
  int report;       /* where reports go: the sync socket, later the accepted start connection */
  int start_socket; /* -1: start is said on the sync socket */
  int *slots;       /* trees that the runtime opened, or cloneSource; -1 before and after use */
  uint32_t slot_count;
  uint32_t given_slots;   /* the first ones, which the runtime fills */
  int proc;               /* private procfs */
  int root;               /* root mount of the container, O_PATH */
  struct identity rootfs; /* the directory that root.path named */
  int detached; /* what keeps a tree that is attached nowhere, the root; -1 with a mount namespace
                 */
  int user_namespace; /* becomeRoot was done */
  unsigned keep;      /* descriptors from 3 on that the process gets */
  int mask_tree;      /* an empty read-only tmpfs that is mounted already; -1 before the first */
  char *executable;   /* what findExecutable found */
  uint64_t named_uid; /* what namedUser found */
  uint32_t current;   /* index of the operation at hand in the whole plan */
  uint32_t blamed;    /* index + 1 of the operation that failed, when it is not the one at hand */
  unsigned long inherited_propagation; /* MS_* that hostPropagation set, without MS_REC */
  unsigned covered_roots;              /* below a mount on `/` */
  int64_t covered_root;                /* the mount id of the uppermost of these */
  int chrooted;                        /* runt is known to be in a chroot */
  int root_shown;                      /* the root lies at its path, no longer over / */
  int joined_mounts;                   /* the mount namespace has other processes */
  int hooks_ran;                       /* hooks that may have mounted something in the root */
  uint32_t host_pid; /* this process as the runtime sees it; known after awaitHooks */
};
extern struct init init;

/* Notes why the operation at hand failed and returns -1: `syscall` with the errno of now, on
 * `detail` (may be NULL). */
int fail(const char *syscall, const char *detail);
/* The same with an errno of our own. */
int fail_with(int error, const char *syscall, const char *detail);
/* The same, and what fails from here on is not why. */
int fail_for_good(int error, const char *syscall, const char *detail);

/* main.c: the descriptor in a slot, which is the caller's from now on. -1 when the slot is empty,
 * or -1 itself. */
int take_slot(int slot);

/* report.c */
int read_fully(int fd, void *data, size_t length);
/* Waits until the runtime lets this process go on. -1 when it is gone. */
int await_go(void);
/* 0, or -1 when the runtime is gone. */
int report_created(void);
int report_hooks(void);
/* A hook, by its place in the config, is not done after SLOW_MS. */
void report_slow(const char *point, uint64_t index);
void report_exec(void);
void report_pid(uint64_t pid, int pidfd);
/* One frame, without its length, with a descriptor. 0, or -1 with errno. */
int send_with(const char *data, size_t length, int fd);
int report_await(uint32_t index);
/* Tells which MOUNT_ATTR_* of the mount of an operation stay, of those for all mounts below it in
 * `recursive`. 0, or -1 when the runtime is gone. */
int report_kept(uint32_t index, uint64_t kept, uint64_t recursive);
/* Tells that a mount of the host is bound in the place of the new one of an operation. 0, or -1
 * when the runtime is gone. */
int report_bound(uint32_t index);
/* Asks the runtime to give stdio to a uid of this user namespace: the bits of 0, 1 and 2 in `fds`.
 */
int report_stdio(uint64_t uid, unsigned fds);
/* An index that no operation has: what failed came before the first one. */
#define NO_OPERATION UINT32_MAX
void report_failure(uint32_t index);
void trace_enable(uint32_t operations);
uint64_t trace_now(void);
/* The clock jumped right after `before`: what is told goes on from there. */
void trace_rebase(uint64_t before);
void trace_add(uint32_t index, uint64_t start);

/* root/resolve.c: every path in the container */
/* Opens path inside the root, never outside, and below a mount of the plan from that mount's
 * descriptor: O_PATH|O_CLOEXEC|flags. The descriptor, or -1 with errno. `found` gets the path of
 * what it is, without symlinks; NULL where nobody asks. */
int resolve(const char *path, int flags, uint64_t restrictions, char found[PATH_MAX]);
/* The same; what is missing is made, the last component with the type and permissions of `kind`
 * (S_IFDIR or S_IFREG), directories above it 0755. *existed tells which it was. */
int resolve_or_make(const char *path, mode_t kind, uint64_t restrictions, int *existed,
                    char found[PATH_MAX]);
/* The directory that holds path (made when missing) and the name in it. */
int resolve_parent(const char *path, const char **name, char found[PATH_MAX]);
/* Opens what a process in the container sees at path, with no regard to the plan. */
int resolve_shown(const char *path, int flags);
/* Opens path, which has no `..`, below dir: any symlink on the way is an error, a mount is not. */
int resolve_below(int dir, const char *path);
/* Copies a path without repeated slashes and `.`: 1, 0 when it has a `..`, or -1 with errno. */
int clean_path(const char *path, char out[PATH_MAX]);

/* mounts/mount-table.c: the mounts that the plan has made */
struct made;
/* Where a mount comes from. */
enum {
  KERNEL_NAMES = 1, /* proc or sysfs: nobody can rename what it holds */
  NEW_FILES = 2,    /* a tmpfs that was empty: what it holds was made here */
  REPEATS = 4,      /* a recursive clone of what it covers, with the mounts below that */
};
/* Notes the mount *tree, which was attached at `found` (from resolve) in the mount `holder`; the
 * plan says `named`. The table keeps the descriptor, or closes it, and *tree is -1 then. 0, or -1
 * with errno. */
int note_mount(int *tree, const char *named, const char *found, int64_t holder, unsigned traits);
/* The deepest mount that path (clean, without `..`) is on by the plan, and what follows; NULL for
 * the root. */
const struct made *made_above(const char *path, const char **rest);
/* The mount that is on path itself; NULL for none. */
const struct made *made_on(const char *path);
const char *made_path(const struct made *m);
/* Its root: a new descriptor, or -1 with errno. */
int made_open(const struct made *m);
/* The descriptor that the table keeps; -1 for none. */
int made_descriptor(const struct made *m);
/* The mount of this id, wherever it is; NULL when it is not of the plan. */
const struct made *made_by_id(int64_t id);
/* Blames the operation that made the mount for whatever fails now; returns -1 with errno. */
int mount_moved(const struct made *m);
/* Closes the descriptors: nothing is resolved from them any more, or the root is another one. */
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
/* Whether now is the root of the mount that was has been the root of. */
int same_root(const struct identity *now, const struct identity *was);
/* The kernel's number of the mount that fd is on; -1 with errno. */
int64_t mount_id(int fd);
/* All of mountinfo; NULL after fail(). */
char *mountinfo_read(void);
/* One line: a mount, the one that holds it, its mount point (escaped) and what follows " - ". */
struct mountinfo {
  int64_t id, parent;
  const char *target, *type;
  size_t target_length;
};
/* Reads the line at `at`: where the next one begins, or NULL at the end. */
const char *mountinfo_next(const char *at, struct mountinfo *line);
/* The mount point of a line without its escapes. 0, or -1 after fail(). */
int mountinfo_target(const struct mountinfo *line, char to[PATH_MAX]);

/* root/chroot.c */
/* Makes a mount of the root of this process, which is a plain directory. 0, or -1 after fail(). */
int mount_chroot(void);
/* Leaves the chroot that this process may be in: 1, also when it has left it before, 0 when it is
 * in none or may not leave it, or -1 after fail(). */
int leave_chroot(void);
/* Whether the root of this process is the file system that the kernel began with: 0, 1 or -1 after
 * fail(). */
int is_ramdisk(void);
/* The container's root becomes this process's, which is a ramdisk, and all else that is mounted on
 * it goes. move: it is not over `/`. 0, or -1 after fail(). */
int cover_ramdisk(int move);

/* mounts/overlay.c */
/* Whether an option of a file system names one layer of an overlay: lowerdir+= or datadir+=. */
int is_layer(const char *option);
int is_overlay(const char *type);
/* Whether an option of an overlay names one directory. */
int is_directory_option(const char *option);
/* Gives such a directory, whose path may be longer than fsconfig(2) takes, by a descriptor (Linux
 * 6.13). 0, or -1 with errno. */
int set_directory(int fs, const char *option);
/* Adds all layers of a list of options as the one `lowerdir=` that mount(2) takes. */
void layers_add(struct text *t, const struct value *options);

/* devices/symlink.c */
/* What becomes of something other than this link that is at the path. */
enum existing { EXISTING_STAYS, EXISTING_FAILS, EXISTING_REPLACED };
/* 0, or -1 after fail(). */
int make_symlink(const char *content, const char *path, enum existing existing);

/* mounts/fs-context.c */
/* fail(), with what the kernel says about the file system's context when it says something. */
int fail_context(int fs, const char *syscall, const char *what);
/* One option of a plan, `key` or `key=value`. 0, or -1 with errno. */
int set_option(int fs, const char *option);

/* mounts/copy-up.c */
/* Copies all that directory holds into the new file system at tree, and its owner when `owner`. 0,
 * or -1 with errno. */
int copy_up(int directory, int tree, int owner);

/* mounts/mount-attributes.c */
/* Gives a mount that is attached nowhere the id maps of a user namespace. 0, or -1 with errno. */
int map_ids(int fd, int user_namespace);
/* Sets and clears MOUNT_ATTR_* of the mount at fd, of all below it too when recursive. 0, or -1
 * with errno. */
int set_attributes(int fd, uint64_t set, uint64_t clear, int recursive);
/* The same, but a flag that is to be cleared and that the host locked (mount_namespaces(7)) stays,
 * and is added to *kept. 0, or -1 with errno. */
int set_unlocked_attributes(int fd, uint64_t set, uint64_t clear, int recursive, uint64_t *kept);
/* Makes the mount at fd and each mount below it read-only, one by one: where mount_setattr(2) is
 * refused. 0, or -1 after fail(). */
int set_all_readonly(int fd, const char *path);
/* mount(2), which wants a path, on what fd names: the descriptors of this process in the private
 * procfs are paths that nobody can change. They are reached by changing the working directory,
 * which the operation `cwd` sets anew before anything is executed. */
int mount_on(int fd, const char *source, const char *type, unsigned long flags, const char *data);
/* Opens the root of the topmost mount on the directory fd; -1 with errno. */
int open_mounted_on(int fd);

/* mounts/old-mount-api.c: trees where the mount API of Linux 5.2 is refused, too */
/* open_tree(2) with OPEN_TREE_CLONE. The tree, or -1 with errno; ENOSYS: it is refused, and so is
 * mount(2). */
int clone_mount(int dirfd, const char *path, unsigned flags);
/* A new file system, MS_* flags. The tree, or -1 with errno. */
int stage_fs(const char *type, unsigned long flags, const char *data);
/* move_mount(2) of a tree, attached or not, onto a descriptor. 0, or -1 with errno. */
int move_tree(int tree, int target);
/* Whether clones are staged in the host's tree. */
int is_staging(void);
/* What clone_mount and move_tree call. */
const char *clone_call(void);
const char *move_call(void);
/* The root is another one: what is staged stays with the old one. */
void leave_staging(void);
/* Takes the staging directory from over the root. 0, or -1 with errno. */
int drop_staging(void);

/* mounts/mount.c: moves a finished tree of the plan, named `path` there, onto target, which resolve
 * found at `found`, and notes it (mounts/mount-table.c). 0, or -1 with errno. */
int put_mount(int *tree, int target, const char *path, const char *found, unsigned traits);
/* Applies propagation: a list of MS_* flags, in order. 0, or -1 with errno. */
int set_propagation(int fd, const struct value *list);

/* process/exec.c: NULL without memory */
/* "HOME=" and the directory of a uid in the container's /etc/passwd, "/" when it has none. */
char *home_of(uint64_t uid);
/* A list as execve(2) wants it, with those of the `count` entries more that are not NULL. */
char **string_vector(const struct value *list, char *const *more, size_t count);

/* seccomp/seccomp.c */
/* Whether a filter was loaded, or is to be loaded right before the exec. */
int filter_loaded(void);
int filter_pending(void);
/* Reports the exec, loads the filter; with an agent, waits until that has the listener. 0, or -1
 * after fail(). */
int apply_late_filter(void);
/* In a hook's process: loads on it the filter that waits for the exec, without a listener, as no
 * agent attends a hook. 0, or -1 with errno. */
int apply_filter_to_hook(void);

/* seccomp/last-words.c */
/* Gives the reader of the reports the page of last words. Without it a failure under the filter is
 * reported by send or write, if the filter lets them. */
void share_words(void);
/* Ends the process with a report in the page that the runtime shares; returns when there is none.
 */
void leave_words(const char *frame, size_t length);
/* Reports go to somebody else from now on. */
void forget_words(void);

/* process/descriptors.c: makes uid the owner of stdio, with `pipes` of pipes alone. 0, or -1 after
 * fail().
 */
int give_stdio(uid_t uid, int pipes);

/* The highest id: 2^32-1 is "no change" to the system calls. */
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
/* The groups of a list, with room for some more. NULL after fail(). */
gid_t *group_list(const struct value *list, size_t more);

/* process/capabilities.c: the sets of this process. 0, or -1 with errno. */
int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable);

/* process/rlimit.c: the limit on descriptors that had to wait for the exec. 0, or -1 after fail().
 */
int apply_late_limit(void);
/* Raises the soft limit on descriptors until the exec. 0, or -1 when it cannot be raised. */
int raise_descriptor_limit(void);

/* supervisor/supervisor.c: the second mode. Returns the exit status. */
int supervise(const char *data, size_t length);

#define CLEANUP_CLOSE __attribute__((cleanup(close_cleanup)))
static inline void close_cleanup(int *fd) {
  if (*fd >= 0) {
    int saved = errno;
    close(*fd);
    errno = saved;
  }
}
#endif
