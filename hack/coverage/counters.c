/* Counters of a coverage build: a byte for each basic block of C, and one for each point of
 * TypeScript.
 *
 * They are files, mapped shared: a process's counts outlive its execve and its SIGKILL, and it
 * needs no descriptor or path after its start. hack/coverage/instrument.mjs defines their
 * paths, BLOCKS_PATH and POINTS_PATH, OUTSIDE to prefix these, and their sizes. */
#include "counters.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t *blocks;

/* A process that starts in a chroot, or where another mount hides the file, opens it in the root
 * of hack/coverage.mjs. Where procfs or the rights for that are missing, its counts are lost. */
static uint8_t *mapped(const char *path, const char *outside, size_t size) {
  uint8_t *data = MAP_FAILED;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    fd = open(outside, O_RDWR | O_CLOEXEC);
  if (fd >= 0) {
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
  }
  if (data == MAP_FAILED)
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? NULL : data;
}

__attribute__((constructor)) static void map_blocks(void) {
  blocks = mapped(BLOCKS_PATH, OUTSIDE BLOCKS_PATH, BLOCKS_SIZE);
}

/* gcc calls this at the start of each basic block (-fsanitize-coverage=trace-pc). The offset of a
 * block is its distance from this function, which objdump shows too. */
void __sanitizer_cov_trace_pc(void) {
  uintptr_t at = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__sanitizer_cov_trace_pc;
  at += BLOCKS_SIZE / 2;
  if (blocks && at < BLOCKS_SIZE)
    blocks[at] = 1;
}

uint8_t *runt_coverage_points(void) {
  static uint8_t *points;
  if (!points)
    points = mapped(POINTS_PATH, OUTSIDE POINTS_PATH, POINTS_SIZE);
  return points;
}
