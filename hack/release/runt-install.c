/* The entry point of the image runt-install: copies /runt to a directory of the host, with the
 * shims' links to it.
 *
 *   runt-install [DIRECTORY]      /target otherwise
 *
 * Each file is replaced by rename(2): a runt that runs meanwhile keeps its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *directory = "/target";

static _Noreturn void fail(const char *what, const char *path) {
  fprintf(stderr, "runt-install: %s %s: %s\n", what, path, strerror(errno));
  if (errno == ENOENT)
    fprintf(stderr, "  mount a directory of the host there: --volume /usr/local/bin:/target\n");
  exit(1);
}

static void copy(const char *from, int dir, const char *name) {
  int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0)
    fail("open", from);
  struct stat st;
  if (fstat(in, &st) < 0)
    fail("stat", from);
  unlinkat(dir, name, 0);
  int out = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
  if (out < 0)
    fail("create a file in", directory);
  for (off_t left = st.st_size; left > 0;) {
    ssize_t n = sendfile(out, in, NULL, (size_t)left);
    if (n <= 0)
      fail("write a file in", directory);
    left -= n;
  }
  if (fchmod(out, 0755) < 0 || fsync(out) < 0 || close(out) < 0)
    fail("write a file in", directory);
  close(in);
}

int main(int argc, char **argv) {
  if (argc > 1)
    directory = argv[1];
  int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0)
    fail("open", directory);
  copy("/runt", dir, ".runt.new");
  if (renameat(dir, ".runt.new", dir, "runt") < 0)
    fail("rename runt in", directory);
  static const char shims[2][32] = {"containerd-shim-runt-v1", "containerd-shim-runt-grpc-v1"};
  for (int i = 0; i < 2; i++) {
    unlinkat(dir, ".runt-shim.new", 0);
    if (symlinkat("runt", dir, ".runt-shim.new") < 0 ||
        renameat(dir, ".runt-shim.new", dir, shims[i]) < 0)
      fail("link the shim in", directory);
  }
  printf("runt, %s and %s are in %s\n", shims[0], shims[1], directory);
  return 0;
}
