/* User and groups of the process, and the wait for the id maps. */
#include "../init.h"
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>

/* Ids are set by system calls: the C library's functions would signal threads, and there are
 * none. */

/* Waits until the runtime has written the id maps, or has made the cgroups. If the runtime dies
 * instead, a report has no reader. */
int op_sync(const struct op *op) {
  (void)op;
  if (await_go())
    _exit(0);
  return 0;
}

static int keeps_groups;

/* Safe: the config requests it by an annotation, and the caller already has these groups. */
int op_keep_groups(const struct op *op) {
  (void)op;
  keeps_groups = 1;
  return 0;
}

/* Whether the user namespace denies setgroups(2) (user_namespaces(7)). Otherwise EPERM is a
 * seccomp filter's, and the caller's groups would stay. */
static int groups_are_denied(void) {
  char text[8] = "";
  int fd CLEANUP_CLOSE = proc_open_self("setgroups", O_RDONLY);
  return fd >= 0 && read(fd, text, sizeof text - 1) > 0 && !strncmp(text, "deny", 4);
}

/* setgroups(2) with no groups; the namespace may deny it. */
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
 * kept the privileges over the exec are dropped at once (CVE-2022-29162). */
int op_become_root(const struct op *op) {
  (void)op;
  init.user_namespace = 1;
  if (!keeps_groups && drop_groups())
    return fail("setgroups", NULL);
  if (syscall(SYS_setresgid, 0, 0, 0))
    return fail("setresgid", "0");
  if (syscall(SYS_setresuid, 0, 0, 0))
    return fail("setresuid", "0");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    return fail("prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  if (set_capabilities(~0ull, ~0ull, 0)) {
    /* capset refuses bits that the process does not have; set those that it has. */
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

gid_t *group_list(const struct value *list, size_t more) {
  gid_t *groups = allocate((list->num + more + 1) * sizeof *groups);
  if (!groups) {
    fail("mmap", NULL);
    return NULL;
  }
  const char *item = list->str;
  for (uint64_t i = 0; i < list->num; i++) {
    const char *text = item;
    uint64_t group = next_in_list(&item);
    if (group > ID_MAX) {
      fail_with(EINVAL, "setgroups", text);
      return NULL;
    }
    groups[i] = (gid_t)group;
  }
  return groups;
}

/* Safe: groups change before the user, as they may not change after it. Capabilities stay over the
 * change; the next operation sets them to exactly the config's. */
int become_user(const struct user *user) {
  /* Truncated to 32 bits, 2^32 would be root. */
#ifndef RUNT_WEAK_IDS /* the runt-init that test/security attacks has this switch */
  if (user->uid > ID_MAX || user->gid > ID_MAX)
    return fail_with(EINVAL, "setresuid", "an id of more than 32 bits");
#endif
  uid_t uid = (uid_t)user->uid;
  gid_t gid = (gid_t)user->gid;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    return fail("prctl", "PR_SET_KEEPCAPS");
  if (user->set_groups || user->group_count) {
    /* A joined user namespace may deny setgroups(2). Then its creator has already dropped all
     * groups that could be dropped. */
    int may_fail = user->groups_optional && !user->group_count;
    if (may_fail ? drop_groups() : (int)syscall(SYS_setgroups, user->group_count, user->groups))
      return fail("setgroups", user->group_count ? "the additional groups" : NULL);
  }
  if (syscall(SYS_setresgid, gid, gid, gid))
    return fail("setresgid", NULL);
  if (syscall(SYS_setresuid, uid, uid, uid))
    return fail("setresuid", NULL);
  if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
    return fail("prctl", "PR_SET_KEEPCAPS");
  if (user->umask->present)
    umask((mode_t)user->umask->num & 0777);
  return prctl(PR_SET_DUMPABLE, 0) ? fail("prctl", "PR_SET_DUMPABLE") : 0;
}

int op_user(const struct op *op) {
  const struct value *v = op->v;
  const gid_t *groups = group_list(&v[USER_GROUPS], 0);
  return groups ? become_user(&(struct user){.uid = v[USER_UID].num,
                                             .gid = v[USER_GID].num,
                                             .groups = groups,
                                             .group_count = v[USER_GROUPS].num,
                                             .set_groups = v[USER_SET_GROUPS].on,
                                             .groups_optional = v[USER_GROUPS_OPTIONAL].on,
                                             .umask = &v[USER_UMASK]})
                : -1;
}
