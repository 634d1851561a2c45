/* Descriptors that runt-init did not open: what the caller of the runtime leaked ends here
 * (CVE-2016-9962, CVE-2024-21626), and stdio gets the owner who is to use it. */
#include "../../core/process/close-listed.h"
#include "../init.h"

static const char *const STDIO_NAMES[] = {"stdin", "stdout", "stderr"};

static int is_ours(int fd) {
  if (fd == init.report || fd == init.start_socket)
    return 1;
  for (uint32_t i = 0; i < init.slot_count; i++)
    if (fd == init.slots[i])
      return 1;
  return 0;
}

/* The smallest of our descriptors that is at least `from`; UINT_MAX when there is none. */
static unsigned next_of_ours(unsigned from) {
  unsigned lowest = UINT_MAX;
  if (init.report >= (int)from)
    lowest = (unsigned)init.report;
  if (init.start_socket >= (int)from && (unsigned)init.start_socket < lowest)
    lowest = (unsigned)init.start_socket;
  for (uint32_t i = 0; i < init.slot_count; i++)
    if (init.slots[i] >= (int)from && (unsigned)init.slots[i] < lowest)
      lowest = (unsigned)init.slots[i];
  return lowest;
}

/* Safe: what remains is stdio, what the config's process gets, and ours, which are close-on-exec
 * from now on. */
int op_keep_fds(const struct op *op) {
  uint64_t count = op->v[KEEP_FDS_COUNT].num;
  if (count > INT_MAX - 3)
    return fail_with(EBADF, "close_range", NULL);
  init.keep = (unsigned)count;
  unsigned next = 3 + init.keep;
  if (fcntl(init.report, F_SETFD, FD_CLOEXEC) ||
      (init.start_socket >= 0 && fcntl(init.start_socket, F_SETFD, FD_CLOEXEC)))
    return fail("fcntl", NULL);
  for (uint32_t i = 0; i < init.slot_count; i++)
    if (init.slots[i] >= 0 && fcntl(init.slots[i], F_SETFD, FD_CLOEXEC))
      return fail("fcntl", NULL);
  /* The few that stay are visited in ascending order; what lies between them is closed. */
  for (;;) {
    unsigned ours = next_of_ours(next);
    if (ours > next && sys_close_range(next, ours == UINT_MAX ? UINT_MAX : ours - 1, 0)) {
      if (!is_refused(SYS_close_range))
        return fail("close_range", NULL);
      return close_listed(next, is_ours) ? fail("close", "/proc/self/fd") : 0;
    }
    if (ours == UINT_MAX)
      return 0;
    next = ours + 1;
  }
}

/* Whether owning what is at fd serves to open it again, and gives no right that matters beside that
 * one. A descriptor that can only read leaves a file, or a disk, to whoever has it: its owner could
 * write to it. Devices that all may open need nobody's leave, and others but terminals are not the
 * container's: /dev/null is everybody's. A socket cannot be opened, but runc gives it away too. */
static int worth_owning(int fd, const struct stat *st, int pipes) {
  int flags;
  if (pipes && !S_ISFIFO(st->st_mode))
    return 0;
  switch (st->st_mode & S_IFMT) {
  case S_IFIFO:
  case S_IFSOCK:
    return 1;
  case S_IFREG:
    flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
  case S_IFCHR:
    return (st->st_mode & 0666) != 0666 && isatty(fd);
  default:
    return 0;
  }
}

/* The owner of what belongs to nobody in this user namespace, as its processes see it
 * (user_namespaces(7)); also the id of many a user. */
enum { OVERFLOW_UID = 65534 };

/* Safe: on descriptors that the caller gave to this very process, so no path is looked up and
 * nothing else is reached. A file whose owner is not mapped in this user namespace is not ours to
 * give (EPERM): the runtime has the same descriptors, and the caller's rights. The group stays:
 * that of a terminal is tty. That an owner may open a log without O_APPEND is the price, which
 * runc's users pay too. */
int give_stdio(uid_t uid, int pipes) {
  unsigned refused = 0;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    struct stat st;
    if (fstat(fd, &st)) {
      if (errno != EBADF)
        return fail("fstat", STDIO_NAMES[fd]);
      continue;
    }
    if ((st.st_uid == uid && uid != OVERFLOW_UID) || !worth_owning(fd, &st, pipes) ||
        !fchown(fd, uid, (gid_t)-1))
      continue;
    if (errno == EPERM && init.user_namespace)
      refused |= 1u << fd;
    /* Not mapped, not ours to give, read-only, or of a file system that knows no owners: it can be
     * used as it is. */
    if (errno != EINVAL && errno != EPERM && errno != EACCES && errno != EROFS &&
        errno != EOPNOTSUPP && errno != ENOSYS)
      return fail("fchown", STDIO_NAMES[fd]);
  }
  if (refused && (report_stdio(uid, refused) || await_go()))
    _exit(0); /* the runtime is gone */
  return 0;
}

int op_stdio_owner(const struct op *op) {
  uint64_t uid = op->v[STDIO_OWNER_UID].num;
  /* 2^32-1 is "no change". */
  if (uid >= UINT32_MAX)
    return fail_with(EINVAL, "fchown", "an id of more than 32 bits");
  return give_stdio((uid_t)uid, op->v[STDIO_OWNER_PIPES].on);
}
