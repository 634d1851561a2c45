/* Out-of-memory notifications of a cgroup. */
#include "../core.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/statfs.h>

/* v1: the kernel increments an eventfd that is registered with memory.oom_control (kernel:
 * admin-guide/cgroup-v1/memory, "OOM Control"); also when the cgroup is removed. */
static int32_t oom_v1(int cgroup) {
  AUTO_CLOSE int control = openat(cgroup, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
  if (control < 0)
    return -errno;
  AUTO_CLOSE int source = openat(cgroup, "memory.oom_control", O_RDONLY | O_CLOEXEC);
  if (source < 0)
    return -errno;
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0)
    return -errno;
  char line[32];
  int length = snprintf(line, sizeof line, "%d %d", event, source);
  if (RETRY(write(control, line, (size_t)length)) >= 0)
    return event;
  int32_t error = -errno;
  close(event);
  return error;
}

/* v2: the kernel modifies memory.events (admin-guide/cgroup-v2, "Memory Interface Files"). */
static int32_t oom_v2(const char *path) {
  char file[4096];
  int length = snprintf(file, sizeof file, "%s/memory.events", path);
  if (length < 0 || (size_t)length >= sizeof file)
    return -ENAMETOOLONG;
  int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (events < 0)
    return -errno;
  if (inotify_add_watch(events, file, IN_MODIFY) >= 0)
    return events;
  int32_t error = -errno;
  close(events);
  return error;
}

int32_t runt_memoryEvents(const char *path) {
  AUTO_CLOSE int cgroup = RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (cgroup < 0)
    return -errno;
  struct statfs fs;
  if (fstatfs(cgroup, &fs))
    return -errno;
  return fs.f_type == CGROUP2_SUPER_MAGIC ? oom_v2(path) : oom_v1(cgroup);
}
