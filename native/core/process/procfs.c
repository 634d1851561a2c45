/* /proc/PID/stat, read from a procfs that was verified to show the caller's pid namespace. */
#include "procfs.h"
#include "../core.h"
#include <stdio.h>
#include <stdlib.h>

/* /proc/self is the reader's pid in the pid namespace of the procfs; a reader outside that
 * namespace gets ENOENT. */
static int is_of_this_namespace(int proc) {
  char number[16];
  ssize_t n = readlinkat(proc, "self", number, sizeof number - 1);
  if (n < 0)
    return errno == ENOENT ? -EXDEV : -errno;
  number[n] = 0;
  return atol(number) == getpid() ? 0 : -EXDEV;
}

/* The verified procfs of a command, which asks several times in its few milliseconds: the first
 * one, whatever is mounted later, and close-on-exec. */
static int kept = -1;
static int keeps;

void procfs_keep(int keep) {
  keeps = keep;
  if (keep || kept < 0)
    return;
  close(kept);
  kept = -1;
}

/* The verified procfs, which release closes; -errno. */
static int open_verified(void) {
  if (kept >= 0)
    return kept;
  int proc = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0)
    return errno == ENOENT || errno == ENOTDIR ? -ENODEV : -errno;
  int error = check_procfs(proc);
  if (!error)
    error = is_of_this_namespace(proc);
  if (error) {
    close(proc);
    return error;
  }
  if (keeps)
    kept = proc;
  return proc;
}

static void release(int *proc) {
  if (*proc >= 0 && *proc != kept)
    close(*proc);
}

int32_t runt_processStat(int32_t pid, uint8_t *data, uint32_t data_cap) {
  char path[32];
  if (pid <= 0 || data_cap > INT32_MAX)
    return -EINVAL;
  __attribute__((cleanup(release))) int proc = open_verified();
  if (proc < 0)
    return proc;
  snprintf(path, sizeof path, "%d/stat", pid);
  AUTO_CLOSE int fd = RETRY(openat(proc, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0)
    return -errno;
  /* A mount on /proc/PID hides it as one on /proc does. */
  int error = check_procfs(fd);
  if (error)
    return error;
  /* The kernel makes the whole line at the first read(2) (seq_file), and returns all that fits. */
  ssize_t n = RETRY(read(fd, data, data_cap));
  if (n < 0)
    return -errno;
  return n == data_cap ? -EOVERFLOW : (int32_t)n;
}
