/* Who the process is: ids, capabilities, privileges, session keyring; and the waiting for the
 * runtime that maps ids. */
#include "../init.h"
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/prctl.h>

/* Two words of each set. */
enum { CAPS_END = 32 * _LINUX_CAPABILITY_U32S_3 };
/* 2^32-1 is "no change" to the system calls. The C library's functions for ids would signal the
 * threads that there are not. */
static const uint64_t ID_MAX = UINT32_MAX - 1;

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {
      {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
      {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
  return (int)syscall(SYS_capset, &header, data);
}

/* Safe: the new session keyring holds nothing; without it the container would have the caller's
 * keys. The owner may search it, so that `exec` can join it later. A kernel without keyrings has no
 * keys to leak. */
int op_keyring(const struct op *op) {
  /* KEY_POS_* and KEY_USR_*, which no header for programs has. */
  enum { POSSESSOR_ALL = 0x3f000000, USER_VIEW_READ_SEARCH_LINK = 0x001b0000 };
  long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, op->v[KEYRING_NAME].str, 0, 0, 0);
  if (ring < 0)
    return errno == ENOSYS ? 0 : fail("keyctl", op->v[KEYRING_NAME].str);
  if (syscall(SYS_keyctl, KEYCTL_SETPERM, ring, POSSESSOR_ALL | USER_VIEW_READ_SEARCH_LINK, 0, 0))
    return fail("keyctl", op->v[KEYRING_NAME].str);
  return 0;
}

/* The runtime's word that the id maps are there. When it dies instead there is nobody to
 * report to. */
int op_sync(const struct op *op) {
  (void)op;
  char go;
  if (read_fully(init.report, &go, 1))
    _exit(0);
  return 0;
}

/* The runtime's word that it has done what the plan holds for it before this operation. */
int op_await(const struct op *op) {
  char go;
  if (report_await(op->index) || read_fully(init.report, &go, 1))
    _exit(0);
  return 0;
}

static int groups_stay;

/* Safe: what the config asks for by an annotation, and no more than its caller has. */
int op_keep_groups(const struct op *op) {
  (void)op;
  groups_stay = 1;
  return 0;
}

/* Whether the user namespace denies setgroups(2) (user_namespaces(7)): then EPERM is the kernel's
 * answer, and not that of a seccomp filter, below which the caller's groups would stay. */
static int groups_are_denied(void) {
  char text[8] = "";
  int fd CLEANUP_CLOSE = proc_open_self("setgroups", O_RDONLY);
  return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && !strncmp(text, "deny", 4);
}

/* setgroups(2) with no groups, where that may be denied. */
static int drop_groups(void) {
  if (!syscall(SYS_setgroups, 0, NULL))
    return 0;
  int error = errno;
  if (error == EPERM && groups_are_denied())
    return 0;
  errno = error;
  return -1;
}

/* Safe: becomes root of the new user namespace only. The ambient and inheritable capabilities that
 * carried the privileges through the exec are dropped at once (CVE-2022-29162). */
int op_become_root(const struct op *op) {
  (void)op;
  init.user_namespace = 1;
  if (!groups_stay && drop_groups())
    return fail("setgroups", NULL);
  if (syscall(SYS_setresgid, 0, 0, 0))
    return fail("setresgid", "0");
  if (syscall(SYS_setresuid, 0, 0, 0))
    return fail("setresuid", "0");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    return fail("prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  if (set_capabilities(~0ull, ~0ull, 0)) {
    /* capset refuses bits that the process has not; ask for those that it has. */
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[2];
    if (syscall(SYS_capget, &header, now))
      return fail("capget", NULL);
    uint64_t permitted = now[0].permitted | (uint64_t)now[1].permitted << 32;
    if (set_capabilities(permitted, permitted, 0))
      return fail("capset", NULL);
  }
  return 0;
}

/* Safe: a session of its own has no controlling terminal; one that is given to it cannot be pushed
 * input from outside, nor can it push any to the caller's. A process that leads a session already
 * is as good. */
int op_session(const struct op *op) {
  (void)op;
  int error = setsid() < 0 ? errno : 0;
  return error && getsid(0) != getpid() ? fail_with(error, "setsid", NULL) : 0;
}

/* Safe: only takes rights away. Not before the id maps are written: the kernel and newuidmap refuse
 * to write those of a process that is not dumpable. From here on no process of the container can
 * trace this one or reach the host through its descriptors (CVE-2016-9962). */
int op_undumpable(const struct op *op) {
  (void)op;
  return prctl(PR_SET_DUMPABLE, 0) ? fail("prctl", "PR_SET_DUMPABLE") : 0;
}

int op_unshare(const struct op *op) {
  return unshare((int)op->v[UNSHARE_FLAGS].num) ? fail("unshare", NULL) : 0;
}

int op_no_new_privileges(const struct op *op) {
  (void)op;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? fail("prctl", "PR_SET_NO_NEW_PRIVS") : 0;
}

/* Safe: only drops. */
int op_bounding(const struct op *op) {
  uint64_t mask = op->v[BOUNDING_MASK].num;
  for (unsigned i = 0; i < CAPS_END; i++) {
    if (mask >> i & 1)
      continue;
    if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0)) {
      if (errno == EINVAL) /* the kernel has no capability i, nor any after it */
        return 0;
      return fail("prctl", "PR_CAPBSET_DROP");
    }
  }
  return 0;
}

/* Safe: groups go before the user, as only then they may; capabilities are kept over the change and
 * set to exactly what the config says by the next operation. */
int op_user(const struct op *op) {
  const struct value *v = op->v, *groups = &v[USER_GROUPS];
  /* Cut to 32 bits, 2^32 would be root. */
  if (v[USER_UID].num > ID_MAX || v[USER_GID].num > ID_MAX)
    return fail_with(EINVAL, "setresuid", "an id of more than 32 bits");
  uid_t uid = (uid_t)v[USER_UID].num;
  gid_t gid = (gid_t)v[USER_GID].num;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    return fail("prctl", "PR_SET_KEEPCAPS");
  if (v[USER_SET_GROUPS].num || groups->num) {
    gid_t *list = groups->num ? allocate(groups->num * sizeof *list) : NULL;
    if (groups->num && !list)
      return fail("setgroups", NULL);
    const char *s = groups->str;
    for (uint64_t i = 0, gid_of; i < groups->num; i++, s = next_string(s)) {
      if (text_number(s, strlen(s), ID_MAX, &gid_of))
        return fail_with(EINVAL, "setgroups", s);
      list[i] = (gid_t)gid_of;
    }
    /* 2: in a user namespace that was joined setgroups(2) may be denied; there are no groups to
     * lose then but those that its maker gave up already. */
    int may_fail = v[USER_SET_GROUPS].num == 2 && !groups->num;
    if (may_fail ? drop_groups() : (int)syscall(SYS_setgroups, groups->num, list))
      return fail("setgroups", groups->num ? "the additional groups" : NULL);
  }
  if (syscall(SYS_setresgid, gid, gid, gid))
    return fail("setresgid", NULL);
  if (syscall(SYS_setresuid, uid, uid, uid))
    return fail("setresuid", NULL);
  if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
    return fail("prctl", "PR_SET_KEEPCAPS");
  if ((int64_t)v[USER_UMASK].num >= 0)
    umask((mode_t)v[USER_UMASK].num & 0777);
  return prctl(PR_SET_DUMPABLE, 0) ? fail("prctl", "PR_SET_DUMPABLE") : 0;
}

/* Safe: exactly the sets of the config; inheritable holds what it names and no more
 * (CVE-2022-29162, CVE-2022-27650). */
int op_capabilities(const struct op *op) {
  const struct value *v = op->v;
  if (set_capabilities(v[CAPABILITIES_EFFECTIVE].num, v[CAPABILITIES_PERMITTED].num,
                       v[CAPABILITIES_INHERITABLE].num))
    return fail("capset", NULL);
  uint64_t ambient = v[CAPABILITIES_AMBIENT].num;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && ambient)
    return fail("prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  for (unsigned i = 0; i < CAPS_END; i++)
    if (ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
      return fail("prctl", "PR_CAP_AMBIENT_RAISE");
  return 0;
}
