/* Descriptors that runt-init did not open: it closes those that the runtime's caller leaked
 * (CVE-2016-9962, CVE-2024-21626), and sets the owner of stdio. */
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

/* The smallest of our descriptors from `from` on; UINT_MAX when there is none. */
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

/* Makes ours close-on-exec: those from `from` on by one call (Linux 5.11). 0, or -1 with errno. */
static int set_close_on_exec(unsigned from) {
  unsigned done = sys_close_range(from, UINT_MAX, CLOSE_RANGE_CLOEXEC) ? UINT_MAX : from;
  int failed = 0;
  for (uint32_t i = 0; i < init.slot_count + 2; i++) {
    int fd = i == 0 ? init.report : i == 1 ? init.start_socket : init.slots[i - 2];
    if (fd >= 0 && (unsigned)fd < done)
      failed |= fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return failed;
}

/* Safe: only stdio, the descriptors for the config's process, and ours remain; from now on ours
 * are close-on-exec. */
int op_keep_fds(const struct op *op) {
  uint64_t count = op->v[KEEP_FDS_COUNT].num;
#ifdef RUNT_WEAK_CWD
  /* Only for the runt-init that test/security attacks: keeps what the caller leaked. */
  return 0;
#endif
  if (count > INT_MAX - 3)
    return fail_with(EBADF, "close_range", NULL);
  init.keep = (unsigned)count;
  unsigned next = 3 + init.keep;
  if (set_close_on_exec(next))
    return fail("fcntl", NULL);
  /* Visits the few that stay in ascending order, and closes those between. */
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

/* Whether a new owner of the file at fd gains the right to open it again, and no other that
 * matters. Not a file or disk that is open read-only: its owner could write to it. Not a device
 * that everybody may open, such as /dev/null, nor any but a terminal. A socket cannot be opened
 * again, but runc changes its owner too. */
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

/* The owner that processes of a user namespace see for unmapped ids (user_namespaces(7)); also the
 * id of many a user. */
enum { OVERFLOW_UID = 65534 };

/* Safe: uses descriptors that the caller passed to this very process, so it looks up no path and
 * reaches nothing else. This process may not change an owner that is not mapped in its user
 * namespace (EPERM): the runtime has the same descriptors, and the caller's rights. The group
 * stays: a terminal's is tty. An owner may then open a log without O_APPEND; runc's users pay that
 * price too. */
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
    /* Not mapped, not ours to change, read-only, or of a file system without owners: it is usable
     * as it is. */
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
