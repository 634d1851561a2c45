/* OOM kills of a supervised container's processes. */
#ifndef RUNT_INIT_OOM_COUNT_H
#define RUNT_INIT_OOM_COUNT_H

/* Starts to count. `file` is memory.oom_control (v1) or memory.events (v2), "" for none. With
 * "/./" in it, systemd may remove the cgroup as soon as it is empty; the directory before that
 * stays. */
void watch_oom(const char *file);

/* A descriptor that is readable when there is something to count; -1 for none. */
int oom_events(void);

/* Whether the kernel killed one since watch_oom. */
int oom_happened(void);
#endif
