/* Whether the kernel killed a process of a supervised container for memory. */
#ifndef RUNT_INIT_OOM_COUNT_H
#define RUNT_INIT_OOM_COUNT_H

/* Begins to count. `file` is memory.oom_control (v1) or memory.events (v2), "" for none. With "/./"
 * in it the cgroup may be removed by somebody else, systemd, as soon as it is empty; what stands
 * before that stays. */
void watch_memory(const char *file);

/* Readable when there is something to count; -1 for nothing that tells. */
int memory_events(void);

/* Whether it killed one since watch_memory. */
int memory_ran_out(void);
#endif
