/* Mounts for the rows with a full host: many-mounts DIR COUNT
 *
 * Makes COUNT bind mounts in a tmpfs on DIR, in the caller's mount namespace. An unmount of DIR
 * (MNT_DETACH) removes all of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int result, const char *what) {
  if (result == 0)
    return;
  fprintf(stderr, "many-mounts: %s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: many-mounts DIR COUNT\n");
    return 2;
  }
  must(mount("tmpfs", argv[1], "tmpfs", 0, "mode=755"), argv[1]);
  must(mount(NULL, argv[1], NULL, MS_PRIVATE, NULL), argv[1]);
  must(chdir(argv[1]), argv[1]);
  must(mkdir("source", 0755), "mkdir");
  const int count = atoi(argv[2]);
  for (int i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "%d", i);
    must(mkdir(name, 0755), "mkdir");
    must(mount("source", name, NULL, MS_BIND, NULL), "mount");
  }
  return 0;
}
