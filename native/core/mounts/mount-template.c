/* A mount namespace with one mount, of which a container's is copied where the host's is long. */
#include "../core.h"
#include "../process/procfs.h"
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* listmount(2), Linux 6.8; the number is that of all architectures. */
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
struct list_request {
  __u32 size, spare;
  __u64 mount, after; /* of which the mounts below are listed, and the last one listed before */
};

enum {
  LISTED_MAX = 512,
  KTHREADD = 2,     /* the parent of all kernel threads */
  TOP_PID = 16384,  /* kdevtmpfs starts at boot, after some threads for each CPU */
  MISSES_MAX = 256, /* pids without a process in a row */
  LINE_MAX_LENGTH = 1024,
};
/* A flag in /proc/PID/stat that only the kernel sets; no header for programs has it. */
#define PF_KTHREAD 0x00200000UL

/* The number of mounts, up to `most`, by reading mountinfo: the kernel makes each line for it. */
static int32_t count_lines(int32_t most) {
  char text[16384];
  AUTO_CLOSE int fd = RETRY(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (fd < 0)
    return -errno;
  int32_t count = 0;
  for (ssize_t n; count < most && (n = RETRY(read(fd, text, sizeof text))) != 0;) {
    if (n < 0)
      return -errno;
    for (const char *at = text; (at = memchr(at, '\n', (size_t)(text + n - at))); at++)
      count++;
  }
  return count < most ? count : most;
}

int32_t runt_countMounts(int32_t most) {
  if (most < 1 || most > LISTED_MAX)
    return -EINVAL;
  uint64_t ids[LISTED_MAX];
  /* LSMT_ROOT: below the root of the mount namespace. */
  struct list_request request = {.size = sizeof request, .mount = UINT64_MAX};
  long n = syscall(SYS_listmount, &request, ids, (size_t)most, 0);
  return n >= 0 ? (int32_t)n : count_lines(most);
}

/* Reads a file below the directory of a process as a string; its length, or -1. */
static ssize_t read_string(int directory, const char *name, char *text, size_t size) {
  AUTO_CLOSE int fd = RETRY(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  ssize_t n = fd < 0 ? -1 : RETRY(read(fd, text, size - 1));
  text[n < 0 ? 0 : n] = 0;
  return n;
}

/* Whether this is the directory of the kernel thread `name`, a child of kthreadd. No other process
 * has the flag, so none can stand for it, whatever its name. */
static int is_kernel_thread(int directory, const char *name) {
  char line[LINE_MAX_LENGTH];
  size_t length = strlen(name);
  if (read_string(directory, "stat", line, sizeof line) <= 0)
    return 0;
  const char *open = strchr(line, '('), *end = strrchr(line, ')');
  if (!open || !end || (size_t)(end - open - 1) != length || memcmp(open + 1, name, length))
    return 0;
  /* proc_pid_stat(5): state, ppid, pgrp, session, tty_nr, tpgid, flags. */
  enum { PARENT = 1, FLAGS = 6, FIELDS };
  unsigned long fields[FIELDS];
  const char *at = end + 1;
  for (int i = 0; i < FIELDS; i++) {
    if (*at++ != ' ')
      return 0;
    fields[i] = strtoul(at, NULL, 10);
    at += strcspn(at, " ");
  }
  return fields[PARENT] == KTHREADD && fields[FLAGS] & PF_KTHREAD;
}

/* One mount, outside of any peer group: what is mounted on the host or in a copy reaches neither.
 */
static int has_one_private_mount(int directory) {
  char text[LINE_MAX_LENGTH];
  ssize_t n = read_string(directory, "mountinfo", text, sizeof text);
  const char *end = strchr(text, '\n');
  return n > 0 && end == text + n - 1 && !strstr(text, " shared:") && !strstr(text, " master:");
}

/* Whether the namespace belongs to the user namespace of this process, whose capabilities setns(2)
 * and unshare(2) check. */
static int is_own_users(int namespace) {
  struct stat own, owner;
  AUTO_CLOSE int user = ioctl(namespace, NS_GET_USERNS);
  return user >= 0 && fstat(user, &owner) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
         own.st_dev == owner.st_dev && own.st_ino == owner.st_ino;
}

/* The mount namespace of the process, if it may be a template; else -1. */
static int template_of(int proc, int pid) {
  char number[16];
  snprintf(number, sizeof number, "%d", pid);
  AUTO_CLOSE int directory = openat(proc, number, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0 || check_procfs(directory) || !is_kernel_thread(directory, "kdevtmpfs") ||
      !has_one_private_mount(directory))
    return -1;
  int namespace = openat(directory, "ns/mnt", O_RDONLY | O_CLOEXEC);
  if (namespace >= 0 && ioctl(namespace, NS_GET_NSTYPE) == CLONE_NEWNS && is_own_users(namespace))
    return namespace;
  close_fd(&namespace);
  return -1;
}

/* The pid of a thread of kthreadd that has another mount namespace than kthreadd, from `pid` on; 0
 * for none. A link is cheaper to read than the name of each process. */
static int next_apart(int proc, int pid) {
  char path[32], link[64], common[64];
  ssize_t length = readlinkat(proc, "2/ns/mnt", common, sizeof common);
  for (int misses = 0; length > 0 && pid < TOP_PID && misses < MISSES_MAX; pid++) {
    snprintf(path, sizeof path, "%d/ns/mnt", pid);
    ssize_t n = readlinkat(proc, path, link, sizeof link);
    misses = n < 0 ? misses + 1 : 0;
    if (n > 0 && (n != length || memcmp(link, common, (size_t)n)))
      return pid;
  }
  return 0;
}

int32_t runt_mountTemplate(void) {
  static int known; /* the thread never ends, and each use verifies it */
  AUTO_CLOSE int proc = open_procfs();
  if (proc < 0)
    return -ENOENT;
  int namespace = known ? template_of(proc, known) : -1;
  for (int pid = KTHREADD + 1; namespace < 0 && (pid = next_apart(proc, pid)); pid++)
    if ((namespace = template_of(proc, pid)) >= 0)
      known = pid;
  return namespace < 0 ? -ENOENT : namespace;
}
