/* Capabilities and no_new_privs. */
#include "../init.h"
#include <sys/prctl.h>

/* Two 32-bit words per set. */
enum { CAPS_END = 32 * _LINUX_CAPABILITY_U32S_3 };

int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {
      {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
      {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
  return (int)syscall(SYS_capset, &header, data);
}

int op_no_new_privileges(const struct op *op) {
  (void)op;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? fail("prctl", "PR_SET_NO_NEW_PRIVS") : 0;
}

/* Whether the kernel has no capability i, nor any after it. Safe: only reads. Two calls must say
 * so, because one whose EINVAL means something else would end the drops too early. */
static bool is_past_last(unsigned i) {
  return errno == EINVAL && prctl(PR_CAPBSET_READ, i, 0, 0, 0) < 0 && errno == EINVAL;
}

/* Safe: only drops. */
int op_bounding(const struct op *op) {
  uint64_t mask = op->v[BOUNDING_MASK].num;
  for (unsigned i = 0; i < CAPS_END; i++) {
    if (mask >> i & 1)
      continue;
    if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0)) {
      int error = errno;
      if (is_past_last(i))
        return 0;
      return fail_with(error, "prctl", "PR_CAPBSET_DROP");
    }
  }
  return 0;
}

/* Safe: exactly the sets of the config; inheritable holds only what the config names
 * (CVE-2022-29162, CVE-2022-27650). */
int op_capabilities(const struct op *op) {
  const struct value *v = op->v;
  uint64_t inheritable = v[CAPABILITIES_INHERITABLE].num;
#ifdef RUNT_WEAK_CAPABILITIES
  /* Only for the runt-init that test/security attacks: inheritable as the old runtimes had it. */
  inheritable = v[CAPABILITIES_PERMITTED].num;
#endif
  if (set_capabilities(v[CAPABILITIES_EFFECTIVE].num, v[CAPABILITIES_PERMITTED].num, inheritable))
    return fail("capset", NULL);
  uint64_t ambient = v[CAPABILITIES_AMBIENT].num;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && ambient)
    return fail("prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  for (unsigned i = 0; i < CAPS_END; i++)
    if (ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
      return fail("prctl", "PR_CAP_AMBIENT_RAISE");
  return 0;
}
