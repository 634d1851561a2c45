/* Check that /proc is a procfs: any file system may be mounted there. */
#ifndef RUNT_PROCFS_H
#define RUNT_PROCFS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Whether runt_processStat keeps its verified procfs open, from one call to the next. Only for a
 * command: a process that stays would see a mount on /proc too late, and keep its file system
 * busy. */
void procfs_keep(int keep);

/* 0 when fd is on a procfs, -ENODEV when it is on another file system, or -errno. */
static inline int check_procfs(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) < 0)
    return -errno;
  return (uint32_t)fs.f_type == PROC_SUPER_MAGIC ? 0 : -ENODEV;
}

/* Opens /proc, O_PATH, when it is the root of a procfs, where only the kernel makes names; else
 * -1. */
static inline int open_procfs(void) {
  enum { ROOT_INODE = 1 /* PROC_ROOT_INO, of every procfs */ };
  struct stat st;
  int fd = openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || (!check_procfs(fd) && fstat(fd, &st) == 0 && st.st_ino == ROOT_INODE))
    return fd;
  close(fd);
  return -1;
}
#endif
