/* CPUs and memory nodes of the process. */
#include "../init.h"

/* Upper bounds for the largest machines: NR_CPUS is at most 8192, MAX_NUMNODES 1024. */
enum { CPUS_MAX = 8192, NODES_MAX = 1024, WORD = 8 * sizeof(unsigned long) };

/* Sets the bits of a list of ranges in a mask of `max` bits. 0, or -1 for a larger number. */
static int mask_of(const struct value *list, unsigned long *mask, uint64_t max) {
  const char *item = list->str;
  for (uint64_t i = 0; i < list->num; i++) {
    uint64_t first = next_in_list(&item), last = next_in_list(&item);
    if (last >= max)
      return -1;
    for (uint64_t n = first; n <= last; n++)
      mask[n / WORD] |= 1ul << (n % WORD);
  }
  return 0;
}

/* Safe: for this process only; the kernel keeps it within its cpuset. The reset of an inherited
 * mask may fail: the container runs without it. */
int op_cpu_affinity(const struct op *op) {
  unsigned long mask[CPUS_MAX / WORD] = {0};
  if (op->v[CPU_AFFINITY_CPUS].num == 0) {
    memset(mask, 0xff, sizeof mask);
    (void)syscall(SYS_sched_setaffinity, 0, sizeof mask, mask);
    return 0;
  }
  if (mask_of(&op->v[CPU_AFFINITY_CPUS], mask, CPUS_MAX))
    return fail_with(EINVAL, "sched_setaffinity", "a CPU above 8191");
  return syscall(SYS_sched_setaffinity, 0, sizeof mask, mask) ? fail("sched_setaffinity", NULL) : 0;
}

/* Safe: for this process only, kept over the exec; within the memory nodes of its cpuset. */
int op_memory_policy(const struct op *op) {
  const struct value *nodes = &op->v[MEMORY_POLICY_NODES];
  unsigned long mask[NODES_MAX / WORD] = {0};
  if (mask_of(nodes, mask, NODES_MAX))
    return fail_with(EINVAL, "set_mempolicy", "a node above 1023");
  /* The kernel reads one bit less than the given size. */
  uint64_t mode = op->v[MEMORY_POLICY_MODE].num | op->v[MEMORY_POLICY_FLAGS].num;
  long r = syscall(SYS_set_mempolicy, (int)mode, nodes->num ? mask : NULL,
                   nodes->num ? NODES_MAX + 1 : 0);
  return r ? fail("set_mempolicy", NULL) : 0;
}
