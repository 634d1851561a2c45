/* OOM kills that the kernel counts in a container's cgroup.
 *
 * The count is known even if the cgroup is removed before it can be read. The runtime names
 * the files of the cgroup hierarchy, which are only read; only an inotify instance stays open. */
#include "oom-count.h"
#include "../../core/clock.h"
#include "../../core/time-limits.h"
#include "../init.h"
#include "../text.h"
#include <sys/inotify.h>

enum { UNREADABLE = -1 };

static struct {
  char file[PATH_MAX], parent[PATH_MAX + 16];
  int64_t kills, parent_kills; /* at the last read, before any event */
  int64_t event_ns;            /* time of the kernel's last event; 0 for none */
  int happened;
} oom;
/* Apart from `oom`: with a value other than 0 that would take 8 KB of the program's file. */
static int events = -1;

/* The line "oom_kill N" of a file. */
static int64_t kills_in(const char *file) {
  char text[1024];
  int fd CLEANUP_CLOSE = file[0] ? sys_open(file, O_RDONLY) : -1;
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (n <= 0)
    return UNREADABLE;
  text[n] = 0;
  const char *line = strstr(text, "oom_kill ");
  uint64_t count = 0;
  if (!line || text_number(line + 9, strspn(line + 9, "0123456789"), INT64_MAX, &count))
    return UNREADABLE;
  return (int64_t)count;
}

static void stop_watching(void) {
  close_cleanup(&events);
  events = -1;
}

void watch_oom(const char *file) {
  struct text path = TEXT_IN(oom.file), parent = TEXT_IN(oom.parent);
  stop_watching();
  text_add(&path, file);
  const char *marker = strstr(file, "/./");
  if (marker) {
    text_add_part(&parent, file, (size_t)(marker - file));
    text_add(&parent, "/memory.events");
    events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (events >= 0 && inotify_add_watch(events, file, IN_MODIFY) < 0)
      stop_watching();
  }
  oom.parent_kills = kills_in(oom.parent);
  oom.kills = kills_in(oom.file);
}

int oom_events(void) { return events; }

/* Reads the kernel's events. It also reports the file's removal, which is not an OOM event. */
static void take_events(void) {
  _Alignas(struct inotify_event) char data[1024];
  for (ssize_t n; events >= 0 && (n = read(events, data, sizeof data)) > 0;)
    for (char *at = data; at < data + n;) {
      const struct inotify_event *event = (const void *)at;
      if (event->mask & (IN_MODIFY | IN_Q_OVERFLOW))
        oom.event_ns = clock_ns(CLOCK_MONOTONIC);
      at += sizeof *event + event->len;
    }
}

/* The count of the cgroup itself is exact. After its removal, its last kill is in its parent's
 * count, beside those of its siblings: it is ours if the kernel just reported an event of ours.
 * The kernel reports one at once unless it did in the last 10 ms (cgroup_file_notify), so there is
 * no kill without an event. */
int oom_happened(void) {
  if (oom.happened)
    return 1;
  take_events();
  /* Read the parent first: a kill between the two reads is not in `parent` yet, and counts at the
   * next read. */
  int64_t parent = kills_in(oom.parent), own = kills_in(oom.file);
  if (own != UNREADABLE) {
    oom.parent_kills = parent;
    oom.happened = own > (oom.kills == UNREADABLE ? 0 : oom.kills);
  } else
    oom.happened = oom.event_ns &&
                   clock_ns(CLOCK_MONOTONIC) - oom.event_ns < RECENT_OOM_EVENT * 1000000ll &&
                   oom.parent_kills != UNREADABLE && parent > oom.parent_kills;
  if (oom.happened)
    stop_watching();
  return oom.happened;
}
