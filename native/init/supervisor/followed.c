/* The processes that a container ends with, and the removal of its cgroups after them. */
#include "../../core/clock.h"
#include "../../core/files/directory-entry.h"
#include "../../core/time-limits.h"
#include "supervisor.h"
#include <dirent.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/statfs.h>

/* Nesting depth of the cgroups that a container makes below its own. */
enum { DEPTH_MAX = 32, ENTRIES_SIZE = 2048 };

static struct {
  char paths[REQUEST_MAX]; /* of the container's cgroups, children first, each with its NUL */
  size_t length;
  int removes;
  uint64_t deadline; /* of the removal, in ns on CLOCK_MONOTONIC; 0 before the first attempt */
} cgroups;

int follow(const char *const fields[], int n, const struct request *r) {
  uint64_t removes;
  if (n < 2 || text_number(fields[1], strlen(fields[1]), 1, &removes) || !r->count ||
      r->count > FOLLOWED_MAX || supervisor.follows || supervisor.heir)
    return -EBADMSG;
  for (int i = 2; i < n; i++) {
    size_t size = strlen(fields[i]) + 1;
    if (fields[i][0] != '/' || size > sizeof cgroups.paths - cgroups.length)
      return -EBADMSG;
    memcpy(cgroups.paths + cgroups.length, fields[i], size);
    cgroups.length += size;
  }
  for (size_t i = 0; i < r->count; i++) {
    supervisor.followed[i] = sys_duplicate(r->fds[i]);
    if (supervisor.followed[i] < 0)
      return -errno;
  }
  /* A service manager that stops the unit of the caller sends TERM to this process too
   * (systemd.kill(5)): before the container has ended with the caller, it must not end. */
  sigset_t ending;
  sigemptyset(&ending);
  for (int s = 0; s < 4; s++)
    sigaddset(&ending, (int[]){SIGHUP, SIGINT, SIGQUIT, SIGTERM}[s]);
  if (sigprocmask(SIG_BLOCK, &ending, NULL))
    return -errno;
  cgroups.removes = (int)removes;
  supervisor.follows = 1;
  return 1;
}

static const char *next_path(const char *path) {
  const char *next = path ? path + strlen(path) + 1 : cgroups.paths;
  return next < cgroups.paths + cgroups.length ? next : NULL;
}

static void write_below(const char *directory, const char *name, const char *value) {
  char path[PATH_MAX];
  struct text t = TEXT_IN(path);
  text_add(&t, directory);
  text_add(&t, name);
  int file CLEANUP_CLOSE = t.cut ? -1 : sys_open(path, O_WRONLY);
  if (file >= 0)
    (void)!write(file, value, strlen(value));
}

/* Safe: the paths are of the container's cgroups, and this process is in none of them. The
 * container was started, so the runtime has put it there. Only cgroup v2 has cgroup.kill, which
 * ends frozen processes too, and only v1's freezer freezer.state: frozen there, a process does not
 * even handle KILL. */
static void kill_cgroups(void) {
  for (const char *path = NULL; supervisor.started && (path = next_path(path));) {
    write_below(path, "/cgroup.kill", "1");
    write_below(path, "/freezer.state", "THAWED");
  }
}

void end_with_followed(const struct pollfd fds[FOLLOWED_MAX]) {
  for (int i = 0; i < FOLLOWED_MAX; i++)
    if (fds[i].revents) {
      close_cleanup(&supervisor.followed[i]);
      supervisor.followed[i] = -1;
      /* A container that has ended by itself is not killed, and may be kept. */
      supervisor.orphaned |= !supervisor.ended;
    }
  if (!supervisor.orphaned)
    return;
  kill_children();
  kill_cgroups();
}

static int is_cgroup(int fd) {
  struct statfs fs;
  return !fstatfs(fd, &fs) && ((unsigned long)fs.f_type == CGROUP_SUPER_MAGIC ||
                               (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC);
}

/* Removes a cgroup and, up to a depth, those below it. 0, or -1 when it is still there.
 *
 * Safe: rmdir(2) removes nothing that is in use, on a cgroup file system only directories exist
 * that mkdir(2) made, and O_NOFOLLOW keeps this from leaving it (it has no symlinks). A directory
 * of another file system is not touched: the hierarchy may have been unmounted. */
static int remove_cgroup(int dirfd, const char *name, int depth) {
  int fd CLEANUP_CLOSE = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? 0 : -1;
  if (!is_cgroup(fd))
    return 0;
  _Alignas(8) char buffer[ENTRIES_SIZE];
  for (long got; depth > 0 && (got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0;)
    for (long at = 0; at < got;) {
      const struct directory_entry *e = (const void *)(buffer + at);
      at += e->length;
      if (e->type == DT_DIR && strcmp(e->name, ".") && strcmp(e->name, ".."))
        remove_cgroup(fd, e->name, depth - 1);
    }
  return unlinkat(dirfd, name, AT_REMOVEDIR) && errno != ENOENT ? -1 : 0;
}

/* Whether nothing is left to do. The state directory is the container's lock (flock(2)): a delete
 * that has it removes the cgroups by itself, and once the directory is gone, another container may
 * have the id, and cgroups of the same names. */
static int cgroups_are_gone(void) {
  uint64_t now = (uint64_t)clock_ns(CLOCK_MONOTONIC);
  if (!cgroups.deadline)
    cgroups.deadline = now + CGROUP_REMOVAL_TIME * 1000000ull;
  if (!cgroups.removes || now > cgroups.deadline)
    return 1;
  if (flock(supervisor.state, LOCK_EX | LOCK_NB))
    return 0;
  struct stat state;
  int left = 0;
  if (!fstat(supervisor.state, &state) && state.st_nlink) {
    /* A process may have forked another one before it was killed. */
    kill_cgroups();
    /* Nothing is below the cgroups of a container that was not started. */
    for (const char *path = NULL; (path = next_path(path));)
      left |= remove_cgroup(AT_FDCWD, path, supervisor.started ? DEPTH_MAX : 0);
  }
  flock(supervisor.state, LOCK_UN);
  return !left;
}

int follows_nothing(void) {
  if (!supervisor.follows || supervisor.released)
    return 1;
  for (int i = 0; i < FOLLOWED_MAX; i++)
    /* A followed runtime waits for the record, or for the end of this process. */
    if (supervisor.followed[i] >= 0)
      return supervisor.unrecorded;
  return cgroups_are_gone();
}

int removal_pause(void) { return cgroups.deadline ? CGROUP_REMOVAL_PAUSE : -1; }
