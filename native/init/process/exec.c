/* Steps from the finished container to the user's program: working directory, program, wait,
 * descriptors, execve. */
#include "../../core/sockets/peer.h"
#include "../../core/time-limits.h"
#include "../init.h"
#include <elf.h>
#include <signal.h>
#include <sys/socket.h>

/* Safe: getcwd(2) cannot name a working directory outside of the root (from a leaked descriptor,
 * /proc/self/fd/N), so it is recognised and refused (CVE-2024-21626). One that was entered before
 * the change of user stays, as in runc: the config names it, and the kernel checks all that the
 * process does there against its user. */
int op_cwd(const struct op *op) {
  static int entered;
  const char *path = op->v[CWD_PATH].str;
  if (entered)
    return 0;
  if (chdir(path)) {
    if (op->v[CWD_OPTIONAL].on && (errno == EACCES || errno == EPERM))
      return 0;
    return fail("chdir", path);
  }
  char here[PATH_MAX];
  if (syscall(SYS_getcwd, here, sizeof here) < 0)
    return fail("getcwd", path);
#ifndef RUNT_WEAK_CWD /* the runt-init that test/security attacks has this switch */
  if (here[0] != '/')
    return fail_with(ENOENT, "getcwd", "the working directory is outside of the container's root");
#endif
  entered = 1;
  return 0;
}

/* 0 when path can be executed, else an errno. */
static int executable(const char *path) {
  struct stat st;
  if (stat(path, &st))
    return errno;
  if (S_ISDIR(st.st_mode))
    return EISDIR;
  /* With the effective capabilities, as execve(2) will check; access(2) ignores them. It is for
   * filters without faccessat2(2). */
  if (!syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS))
    return 0;
  if (errno != ENOSYS && errno != EPERM)
    return errno;
  return access(path, X_OK) ? errno : 0;
}

static char *copy_path(const char *path) {
  size_t size = strlen(path) + 1;
  char *copy = allocate(size);
  return copy ? memcpy(copy, path, size) : NULL;
}

int op_find_executable(const struct op *op) {
  const char *name = op->v[FIND_EXECUTABLE_NAME].str, *path = op->v[FIND_EXECUTABLE_PATH].str;
  if (strchr(name, '/') || !*name) {
    int error = *name ? executable(name) : ENOENT;
    if (error)
      return fail_with(error, "execve", name);
    init.executable = copy_path(name);
    return init.executable ? 0 : fail("mmap", NULL);
  }
  int refused = 0;
  char candidate[PATH_MAX];
  while (*path) {
    size_t n = strcspn(path, ":");
    /* An empty entry is the working directory, as for execvp(3). */
    struct text t = TEXT_IN(candidate);
    text_add_part(&t, path, n);
    text_add(&t, n ? "/" : "./");
    text_add(&t, name);
    path += n + (path[n] == ':');
    if (t.cut)
      continue;
    int error = executable(candidate);
    if (!error) {
      init.executable = copy_path(candidate);
      return init.executable ? 0 : fail("mmap", NULL);
    }
    if (error == EACCES)
      refused = 1;
  }
  return fail_with(refused ? EACCES : ENOENT, "execve", name);
}

static void drop(int *fd) {
  close_cleanup(fd);
  *fd = -1;
}

/* Whether the container's filter denies a call of the wait. Asked while a failure can still be
 * reported: later nobody reads it. A call that is allowed fails with EBADF. */
static int denied_wait(int64_t creator) {
  char go;
  if (creator < 0)
    return fail("getsockopt", NULL);
  /* cppcheck-suppress invalidFunctionArg ; on purpose */
  if (read(-1, &go, 1) < 0 && errno != EBADF)
    return fail("read", NULL);
  /* cppcheck-suppress invalidFunctionArg ; on purpose */
  if (close(-1) && errno != EBADF)
    return fail("close", NULL);
  /* cppcheck-suppress [invalidFunctionArg, nullPointer] ; on purpose */
  if (init.start_socket >= 0 && accept4(-1, NULL, NULL, SOCK_CLOEXEC) < 0 && errno != EBADF)
    return fail("accept4", NULL);
  return 0;
}

/* Whether accept(2) may succeed later: the connection stays in the queue. Without a pause where the
 * container's filter may deny one. Safe: only waits. */
static bool is_passing(int error) {
  if (error == EINTR || error == ECONNABORTED)
    return true;
  if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM && error != EPERM)
    return false;
  static const struct timespec pause = {.tv_nsec = ACCEPT_PAUSE_NS};
  if (!filter_loaded())
    syscall(SYS_nanosleep, &pause, NULL);
  return true;
}

/* Safe: the socket is in the state directory (0700, of the runtime's user), and only that user or
 * root may connect (CVE-2020-15257). */
int op_wait(const struct op *op) {
  (void)op;
  /* No descriptor of the host stays open during the wait (CVE-2016-9962). */
  drop(&init.proc);
  drop(&init.root);
  drop(&init.detached);
  drop(&init.mask_tree);
  forget_mounts();
  for (uint32_t i = 0; i < init.slot_count; i++)
    drop(&init.slots[i]);
  int64_t creator = peer_of(init.report);
  if (filter_loaded() && denied_wait(creator))
    return -1;
  if (report_created()) {
    if (filter_loaded() && errno != EPIPE && errno != ECONNRESET)
      return fail("sendto", NULL);
    _exit(0);
  }
  if (await_go())
    _exit(0); /* the runtime ended before it recorded the container */
  if (init.start_socket < 0)
    return 0;
  for (;;) {
    drop(&init.report);
    /* cppcheck-suppress nullPointer ; accept4(2) takes no address */
    init.report = accept4(init.start_socket, NULL, NULL, SOCK_CLOEXEC);
    if (init.report < 0) {
      if (!is_passing(errno))
        _exit(1);
      continue;
    }
    /* In a separate user namespace uid 0 is the container's. */
    if (peer_is(init.report, creator, !init.user_namespace))
      break;
  }
  close(init.start_socket);
  init.start_socket = -1;
  forget_last_report_page();
  return 0;
}

/* HOME of a uid: the sixth field of its line in the container's /etc/passwd (passwd(5)); "/"
 * without a line. */
char *home_entry(uint64_t uid) {
  enum { PASSWD_MAX = 1 << 20 };
  struct stat st;
  int fd CLEANUP_CLOSE = sys_open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
  char *text = NULL;
  ssize_t length = 0;
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < PASSWD_MAX &&
      (text = allocate((size_t)st.st_size + 1)) != NULL)
    length = read(fd, text, (size_t)st.st_size);
  const char *home = "/";
  if (text && length > 0) {
    text[length] = 0;
    for (char *line = text, *next; line; line = next) {
      next = line;
      (void)strsep(&next, "\n");
      char *field[7], *rest = line;
      int n = 0;
      while (n < 7 && (field[n] = strsep(&rest, ":")) != NULL)
        n++;
      uint64_t number;
      if (n < 6 || text_number(field[2], strlen(field[2]), UINT32_MAX, &number) || number != uid)
        continue;
      if (*field[5])
        home = field[5];
      break;
    }
  }
  size_t room = strlen(home) + sizeof "HOME=";
  char *entry = allocate(room);
  if (!entry)
    return NULL;
  struct text t = text_in(entry, room);
  text_add(&t, "HOME=");
  text_add(&t, home);
  return entry;
}

char **string_vector(const struct value *list, char *const *more, size_t count) {
  char **v = allocate((list->num + count + 1) * sizeof *v);
  if (!v)
    return NULL;
  const char *s = list->str;
  size_t n = 0;
  for (; n < list->num; n++, s = next_string(s))
    v[n] = (char *)(uintptr_t)s;
  for (size_t i = 0; i < count; i++)
    if (more[i])
      v[n++] = more[i];
  v[n] = NULL;
  return v;
}

/* Adds the file that the kernel did not find or understand: the interpreter of a script or the
 * loader of a program. */
static void blame(struct text *t, const char *path, int error) {
  text_add(t, path);
  int fd CLEANUP_CLOSE = sys_open(path, O_RDONLY | O_NONBLOCK);
  _Alignas(Elf64_Ehdr) char head[4096];
  ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head - 1, 0);
  if (n > 2 && head[0] == '#' && head[1] == '!') {
    head[n] = 0;
    size_t line = strcspn(head, "\n");
    text_add(t, ": ");
    text_add_part(t, head, line < 255 ? line : 255);
    return;
  }
  const Elf64_Ehdr *elf = (const void *)head;
  if (n < (ssize_t)sizeof *elf || memcmp(head, ELFMAG, SELFMAG) != 0)
    return;
  if (error == ENOEXEC) {
    text_add(t, ": ELF machine ");
    text_add_number(t, elf->e_machine);
    text_add(t, ", class ");
    text_add_number(t, (unsigned char)head[EI_CLASS]);
    return;
  }
  if (head[EI_CLASS] != ELFCLASS64 || elf->e_phentsize != sizeof(Elf64_Phdr))
    return;
  for (unsigned i = 0; i < elf->e_phnum && i < 64; i++) {
    Elf64_Phdr p;
    if (pread(fd, &p, sizeof p, (off_t)(elf->e_phoff + i * sizeof p)) != (ssize_t)sizeof p)
      return;
    char loader[256];
    if (p.p_type != PT_INTERP || p.p_filesz == 0 || p.p_filesz > sizeof loader)
      continue;
    n = pread(fd, loader, p.p_filesz, (off_t)p.p_offset);
    if (n <= 0)
      return;
    loader[n - 1] = 0;
    text_add(t, ": loader ");
    text_add(t, loader);
    return;
  }
}

enum { LISTEN_ENTRY_MAX = 40 };
static char *listen_entries[3];

static char *listen_entry(const char *name, const char *text, uint64_t number) {
  size_t room = strlen(text) + LISTEN_ENTRY_MAX;
  char *entry = allocate(room);
  if (!entry)
    return NULL;
  struct text t = text_in(entry, room);
  text_add(&t, name);
  if (*text)
    text_add(&t, text);
  else
    text_add_number(&t, number);
  return entry;
}

/* Safe: only writes environment entries. keepFds has kept the descriptors. The pid, which
 * sd_listen_fds(3) compares with its own, is that of the container's pid namespace. */
int op_listen_fds(const struct op *op) {
  const struct value *names = &op->v[LISTEN_FDS_NAMES];
  listen_entries[0] = listen_entry("LISTEN_FDS=", "", op->v[LISTEN_FDS_COUNT].num);
  listen_entries[1] = listen_entry("LISTEN_PID=", "", (uint64_t)getpid());
  listen_entries[2] = names->present ? listen_entry("LISTEN_FDNAMES=", names->str, 0) : NULL;
  return listen_entries[0] && listen_entries[1] && (!names->present || listen_entries[2])
             ? 0
             : fail("mmap", NULL);
}

/* Corrects LISTEN_PID if the reaper has made this process. 0, or -1 after fail(). */
static int own_pid(void) {
  if (!listen_entries[1])
    return 0;
  pid_t pid = getpid();
  if (pid < 0)
    return fail("getpid", NULL);
  struct text t = text_in(listen_entries[1], LISTEN_ENTRY_MAX);
  text_add(&t, "LISTEN_PID=");
  text_add_number(&t, (uint64_t)pid);
  return 0;
}

/* Safe: the kernel closes everything from 3 + keep on at the exec. The report channel is among
 * them, and its end of file shows that the exec has happened. Signals have their default actions,
 * and none is blocked. */
int op_exec(const struct op *op) {
  const struct value *v = op->v;
  int named = v[EXEC_HOME_OF_NAMED].on, lacks_home = named || v[EXEC_HOME_OF].present;
  char *home = lacks_home ? home_entry(named ? init.named_uid : v[EXEC_HOME_OF].num) : NULL;
  char *const more[] = {home, listen_entries[0], listen_entries[1], listen_entries[2]};
  char **args = string_vector(&v[EXEC_ARGS], NULL, 0),
       **env = string_vector(&v[EXEC_ENV], more, sizeof more / sizeof *more);
  if (!args || !env || (lacks_home && !home))
    return fail("mmap", NULL);
  if (!init.executable)
    return fail_with(ENOENT, "execve", NULL);
  int filtered = filter_loaded();
  if (!filtered && sys_close_range(3 + init.keep, UINT_MAX, CLOSE_RANGE_CLOEXEC)) {
    /* The kernel lacks the flag before 5.11, and a filter around runt may forbid the call. All
     * descriptors that were opened here are close-on-exec anyway. */
    if (errno != EINVAL && errno != ENOSYS && errno != EPERM)
      return fail("close_range", NULL);
  }
  if (apply_late_limit())
    return -1;
  if (!filtered)
    signal(SIGPIPE, SIG_DFL);
  char detail[PATH_MAX];
  struct text t = TEXT_IN(detail);
  if (filter_pending()) {
    /* Under the filter no file may be opened to see what was missing: look before. */
    blame(&t, init.executable, ENOENT);
    if (apply_late_filter() || fork_reaper() || own_pid())
      return -1;
    execve(init.executable, args, env);
    return fail_with(errno, "execve", errno == ENOENT ? detail : init.executable);
  }
  report_exec();
  if (fork_reaper() || own_pid())
    return -1;
  execve(init.executable, args, env);
  int error = errno;
  if (!filtered)
    signal(SIGPIPE, SIG_IGN);
  blame(&t, init.executable, error);
  return fail_with(error, "execve", detail);
}
