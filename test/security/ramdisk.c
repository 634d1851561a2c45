/* The initial root file system of the kernel (rootfs), as the root of a host that runs from an
 * initramfs. It is the lowest mount of every mount namespace; others cover it.
 *
 *   ramdisk check               exits with 0 if it has the directories that a host needs
 *   ramdisk make                makes those that are missing
 *   ramdisk host TREE COMMAND…  executes COMMAND with it as the root: TREE on /root, and TREE/dev,
 *                               TREE/sys and a procfs; in a mount namespace that the caller made
 *   ramdisk below PID           unmounts the root of the mount namespace of PID, and prints the
 *                               mountinfo of the root that is uncovered */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const directories[] = {"/dev", "/proc", "/root", "/sys"};
enum { COUNT = sizeof directories / sizeof *directories };

static int must(long result, const char *what) {
  if (result >= 0)
    return (int)result;
  perror(what);
  exit(125);
}

/* Unmounts the topmost mount on the root of the namespace, and enters the root below it. */
static void uncover(int namespace) {
  must(setns(namespace, CLONE_NEWNS), "setns");
  must(umount2("/", MNT_DETACH), "umount2");
  must(setns(namespace, CLONE_NEWNS), "setns");
}

static int clone_tree(const char *path) {
  enum { NR_open_tree = 428, RECURSIVE = 0x8000 };
  return must(syscall(NR_open_tree, AT_FDCWD, path, 1 | O_CLOEXEC | RECURSIVE), path);
}

static void attach(int tree, const char *path) {
  enum { NR_move_mount = 429, FROM_EMPTY = 4 };
  must(syscall(NR_move_mount, tree, "", AT_FDCWD, path, FROM_EMPTY), path);
}

int main(int argc, char **argv) {
  const char *verb = argc > 1 ? argv[1] : "";
  int proc = must(open("/proc", O_PATH | O_CLOEXEC), "/proc");
  char of[64];
  snprintf(of, sizeof of, "%s/ns/mnt", !strcmp(verb, "below") && argc == 3 ? argv[2] : "self");
  int namespace = must(openat(proc, of, O_RDONLY | O_CLOEXEC), of);
  if (!strcmp(verb, "below")) {
    char text[4096];
    uncover(namespace);
    int mountinfo = must(openat(proc, "self/mountinfo", O_RDONLY), "mountinfo");
    for (ssize_t n; (n = must(read(mountinfo, text, sizeof text), "read")) > 0;)
      must(write(1, text, (size_t)n), "write");
    return 0;
  }
  int host = !strcmp(verb, "host") && argc > 3;
  int tree = host ? clone_tree(argv[2]) : -1;
  uncover(namespace);
  for (int i = 0; i < COUNT; i++) {
    if (!strcmp(verb, "make"))
      mkdir(directories[i], 0755);
    if (access(directories[i], F_OK))
      return 1;
  }
  if (!host)
    return 0;
  attach(tree, "/root");
  attach(clone_tree("/root/dev"), "/dev");
  attach(clone_tree("/root/sys"), "/sys");
  must(mount("proc", "/proc", "proc", 0, NULL), "proc");
  execv(argv[3], argv + 3);
  return must(-1, argv[3]);
}
