/* Container's terminal: a pair from its own devpts; the master is sent to the console socket, the
 * slave becomes stdio. */
#include "../core/sockets/send-descriptor.h"
#include "init.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

enum { SLAVE_MAJOR_FIRST = 136, SLAVE_MAJOR_LAST = 143 };

static int is_devpts(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == DEVPTS_SUPER_MAGIC;
}

/* Whether fd is a character device with a major number from first to last, on a devpts. */
static int is_pty(int fd, unsigned first, unsigned last) {
  struct stat st;
  return is_devpts(fd) && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
         major(st.st_rdev) >= first && major(st.st_rdev) <= last;
}

/* Opens the multiplexer by its name in a directory that is itself a devpts. No other mount may lie
 * on it, so it is the kernel's. */
static int open_master(void) {
  int dir CLEANUP_CLOSE = resolve("/dev/pts", O_DIRECTORY, 0, NULL);
  if (dir < 0)
    return fail("openat2", "/dev/pts");
  if (!is_devpts(dir))
    return fail_with(ENODEV, "statfs", "/dev/pts");
  struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
  int master = sys_openat2(dir, "ptmx", &how);
  if (master < 0 && (errno == ENOSYS || errno == EPERM)) {
    int found CLEANUP_CLOSE = openat(dir, "ptmx", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat there, own;
    if (found >= 0 && !is_pty(found, 5, 5))
      return fail_with(ENODEV, "openat", "/dev/pts/ptmx");
    if (found >= 0 && (fstat(found, &there) || fstat(dir, &own) || there.st_dev != own.st_dev))
      return fail_with(EXDEV, "openat", "/dev/pts/ptmx");
    master = openat(dir, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
  }
  if (master < 0)
    return fail("openat2", "/dev/pts/ptmx");
  if (is_pty(master, 5, 5))
    return master;
  close(master);
  return fail_with(ENODEV, "fstat", "/dev/pts/ptmx");
}

/* The file that /dev/console is bound over, made if missing; a link there is not followed. */
static int console_target(char found[PATH_MAX]) {
  const char *name;
  int dir CLEANUP_CLOSE = resolve_parent("/dev/console", &name, found);
  if (dir < 0)
    return fail("openat2", "/dev/console");
  int made CLEANUP_CLOSE =
      openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (made < 0 && errno != EEXIST)
    return fail("openat", "/dev/console");
  int target = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
#ifdef RUNT_WEAK_CONSOLE
  /* Only for the runt-init that test/security attacks: makes and covers what a link leads to. */
  close_cleanup(&target);
  close(openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  target = openat(dir, name, O_PATH | O_CLOEXEC);
#endif
  struct stat st;
  if (target < 0 || fstat(target, &st)) {
    close_cleanup(&target);
    return fail("openat", "/dev/console");
  }
  struct text t = {found, PATH_MAX, strlen(found), 0};
  text_add_char(&t, '/');
  text_add(&t, name);
  if (!S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode) && !t.cut)
    return target;
  close(target);
  return fail_with(S_ISDIR(st.st_mode) ? EISDIR : ELOOP, "openat", "/dev/console");
}

/* Binds the slave itself, by its descriptor, on /dev/console. */
static int bind_console(int slave) {
  char found[PATH_MAX];
  int target CLEANUP_CLOSE = console_target(found);
  if (target < 0)
    return -1;
  int tree CLEANUP_CLOSE = clone_mount(slave, "", AT_EMPTY_PATH);
  if (tree < 0)
    return fail(clone_call(), "/dev/console");
  return put_mount(&tree, target, "/dev/console", found, 0) ? fail(move_call(), "/dev/console") : 0;
}

/* Sends one message: the master, and the name that engines expect and log. */
static int send_master(int socket, int master) {
  static char name[] = "/dev/ptmx";
  struct iovec io = {.iov_base = name, .iov_len = sizeof name - 1};
  return send_descriptor(socket, &io, 1, master) < 0 ? fail("sendmsg", "the console socket") : 0;
}

/* Moves our descriptor above stdio: the caller may have closed stdio. */
static int above_stdio(int *fd) {
  if (*fd < 0 || *fd > 2)
    return 0;
  int moved = sys_duplicate(*fd);
  if (moved < 0)
    return fail("fcntl", NULL);
  close(*fd);
  *fd = moved;
  return 0;
}

static int clear_stdio(void) {
  int *ours[] = {&init.report, &init.start_socket, &init.proc,
                 &init.root,   &init.detached,     &init.mask_tree};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    if (above_stdio(ours[i]))
      return -1;
  for (uint32_t i = 0; i < init.slot_count; i++)
    if (above_stdio(&init.slots[i]))
      return -1;
  return 0;
}

/* Safe: the directory that makes the pair is verified to be the container's devpts. The slave is
 * opened from the master, not by a path (TIOCGPTPEER; CVE-2025-52565); it is bound and becomes
 * stdio. The session is new, so the terminal controls no other session. */
int op_terminal(const struct op *op) {
  const struct value *v = op->v;
  uint64_t uid = v[TERMINAL_UID].num;
  uint64_t width = v[TERMINAL_WIDTH].num, height = v[TERMINAL_HEIGHT].num;
  int *socket = &init.slots[v[TERMINAL_SLOT].slot];
  if (*socket < 0)
    return fail_with(EBADF, "sendmsg", "the console socket");
  if (uid > UINT32_MAX - 1 || width > UINT16_MAX || height > UINT16_MAX)
    return fail_with(ERANGE, "ioctl", "an id of more than 32 bits, or a size of more than 16");
  if (clear_stdio())
    return -1;
  int master CLEANUP_CLOSE = open_master();
  if (master < 0 || above_stdio(&master))
    return -1;
  int locked = 0;
  if (ioctl(master, TIOCSPTLCK, &locked))
    return fail("ioctl", "TIOCSPTLCK");
  int slave CLEANUP_CLOSE = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return fail("ioctl", "TIOCGPTPEER");
  if (above_stdio(&slave))
    return -1;
  struct stat st;
  if (!is_pty(slave, SLAVE_MAJOR_FIRST, SLAVE_MAJOR_LAST) || fstat(slave, &st))
    return fail_with(ENODEV, "fstat", "the terminal");
  if (st.st_uid != (uid_t)uid && fchown(slave, (uid_t)uid, (gid_t)-1))
    return fail("fchown", "the terminal");
  struct winsize size = {.ws_col = (uint16_t)width, .ws_row = (uint16_t)height};
  if ((v[TERMINAL_WIDTH].present || v[TERMINAL_HEIGHT].present) && ioctl(slave, TIOCSWINSZ, &size))
    return fail("ioctl", "TIOCSWINSZ");
  if (v[TERMINAL_CONSOLE].on && bind_console(slave))
    return -1;
  if (ioctl(slave, TIOCSCTTY, 0))
    return fail("ioctl", "TIOCSCTTY");
  for (int fd = 0; fd < 3; fd++)
    if (dup2(slave, fd) < 0)
      return fail("dup2", NULL);
  if (send_master(*socket, master))
    return -1;
  close_cleanup(socket);
  *socket = -1;
  return 0;
}
