/* From the finished container to the user's program: working directory, program, waiting,
 * descriptors, execve. */
#include "init.h"
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Safe: descriptors that the caller of the runtime leaked end here (CVE-2016-9962, CVE-2024-21626);
 * what remains is stdio, what the config's process gets, and ours, which are close-on-exec from now
 * on. */
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
    if (fcntl(init.slots[i], F_SETFD, FD_CLOEXEC))
      return fail("fcntl", NULL);
  /* The few that stay are visited in ascending order; what lies between them is closed. */
  for (;;) {
    unsigned lowest = UINT_MAX;
    if (init.report >= (int)next)
      lowest = (unsigned)init.report;
    if (init.start_socket >= (int)next && (unsigned)init.start_socket < lowest)
      lowest = (unsigned)init.start_socket;
    for (uint32_t i = 0; i < init.slot_count; i++)
      if (init.slots[i] >= (int)next && (unsigned)init.slots[i] < lowest)
        lowest = (unsigned)init.slots[i];
    if (lowest > next && sys_close_range(next, lowest == UINT_MAX ? UINT_MAX : lowest - 1, 0))
      return fail("close_range", NULL);
    if (lowest == UINT_MAX)
      return 0;
    next = lowest + 1;
  }
}

/* Safe: a working directory outside of the root (through a leaked descriptor, /proc/self/fd/N) is
 * recognised by getcwd(2), which cannot name it, and refused (CVE-2024-21626). */
int op_cwd(const struct op *op) {
  const char *path = op->v[CWD_PATH].str;
  if (chdir(path)) {
    if (op->v[CWD_OPTIONAL].num && (errno == EACCES || errno == EPERM))
      return 0;
    return fail("chdir", path);
  }
  char here[PATH_MAX];
  if (syscall(SYS_getcwd, here, sizeof here) < 0)
    return fail("getcwd", path);
  if (here[0] != '/')
    return fail_with(ENOENT, "getcwd", "the working directory is outside of the container's root");
  return 0;
}

/* 0 when path can be executed, else an errno. */
static int executable(const char *path) {
  struct stat st;
  if (stat(path, &st))
    return errno;
  if (S_ISDIR(st.st_mode))
    return EISDIR;
  return access(path, X_OK) ? errno : 0;
}

int op_find_executable(const struct op *op) {
  const char *name = op->v[FIND_EXECUTABLE_NAME].str, *path = op->v[FIND_EXECUTABLE_PATH].str;
  if (strchr(name, '/') || !*name) {
    int error = *name ? executable(name) : ENOENT;
    if (error)
      return fail_with(error, "execve", name);
    init.executable = strdup(name);
    return init.executable ? 0 : fail("malloc", NULL);
  }
  int refused = 0;
  char candidate[PATH_MAX];
  while (*path) {
    size_t n = strcspn(path, ":");
    /* An empty entry is the working directory, as for execvp(3). */
    int length =
        snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)n, path, n ? "/" : "./", name);
    path += n + (path[n] == ':');
    if (length >= (int)sizeof candidate)
      continue;
    int error = executable(candidate);
    if (!error) {
      init.executable = strdup(candidate);
      return init.executable ? 0 : fail("malloc", NULL);
    }
    if (error == EACCES)
      refused = 1;
  }
  return fail_with(refused ? EACCES : ENOENT, "execve", name);
}

/* Safe: who may connect is decided by the state directory (0700, of the runtime's user), which the
 * socket lies in. */
int op_wait(const struct op *op) {
  (void)op;
  report_created();
  char go;
  if (read_fully(init.report, &go, 1))
    _exit(0); /* the runtime ended before it had noted that the container exists */
  if (init.start_socket < 0)
    return 0;
  close(init.report);
  do
    init.report = accept4(init.start_socket, NULL, NULL, SOCK_CLOEXEC);
  while (init.report < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (init.report < 0)
    _exit(1);
  close(init.start_socket);
  init.start_socket = -1;
  return 0;
}

/* HOME of a uid: the sixth field of its line in the container's /etc/passwd (passwd(5)); "/" when
 * there is none. */
static char *home_of(uint64_t uid) {
  enum { PASSWD_MAX = 1 << 20 };
  struct stat st;
  int fd CLEANUP_CLOSE = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  char *text = NULL;
  ssize_t length = 0;
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < PASSWD_MAX &&
      (text = malloc((size_t)st.st_size + 1)) != NULL)
    length = read(fd, text, (size_t)st.st_size);
  const char *home = "/";
  if (text && length > 0) {
    text[length] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
      char *field[7], *rest = line;
      int n = 0;
      while (n < 7 && (field[n] = strsep(&rest, ":")) != NULL)
        n++;
      char *end;
      if (n < 6 || !*field[2] || strtoull(field[2], &end, 10) != uid || *end)
        continue;
      if (*field[5])
        home = field[5];
      break;
    }
  }
  char *entry = NULL;
  if (asprintf(&entry, "HOME=%s", home) < 0)
    entry = NULL;
  free(text);
  return entry;
}

static char **vector(const struct value *list, char *extra) {
  char **v = malloc((list->num + 2) * sizeof *v);
  if (!v)
    return NULL;
  const char *s = list->str;
  size_t n = 0;
  for (; n < list->num; n++, s = next_string(s))
    v[n] = (char *)s;
  if (extra)
    v[n++] = extra;
  v[n] = NULL;
  return v;
}

/* What the kernel needed and did not find or understand: the interpreter of a script or the loader
 * of a program. */
static const char *blame(const char *path, char out[PATH_MAX]) {
  int error = errno;
  int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  unsigned char head[4096];
  ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof head - 1, 0);
  errno = error;
  if (n > 2 && head[0] == '#' && head[1] == '!') {
    head[n] = 0;
    head[strcspn((char *)head, "\n")] = 0;
    snprintf(out, PATH_MAX, "%s: %.255s", path, (char *)head);
    return out;
  }
  const Elf64_Ehdr *elf = (const void *)head;
  if (n < (ssize_t)sizeof *elf || memcmp(head, ELFMAG, SELFMAG) != 0)
    return path;
  if (error == ENOEXEC) {
    snprintf(out, PATH_MAX, "%s: ELF machine %u, class %u", path, elf->e_machine, head[EI_CLASS]);
    return out;
  }
  if (head[EI_CLASS] != ELFCLASS64 || elf->e_phentsize != sizeof(Elf64_Phdr))
    return path;
  for (unsigned i = 0; i < elf->e_phnum && i < 64; i++) {
    Elf64_Phdr p;
    if (pread(fd, &p, sizeof p, (off_t)(elf->e_phoff + i * sizeof p)) != (ssize_t)sizeof p)
      return path;
    char loader[256];
    if (p.p_type != PT_INTERP || p.p_filesz == 0 || p.p_filesz > sizeof loader)
      continue;
    n = pread(fd, loader, p.p_filesz, (off_t)p.p_offset);
    if (n <= 0)
      return path;
    loader[n - 1] = 0;
    snprintf(out, PATH_MAX, "%s: loader %s", path, loader);
    return out;
  }
  return path;
}

/* Safe: everything from 3 + keep on is closed by the kernel at the exec, the report channel among
 * them, whose end of file tells that the exec has happened. Signals have their default actions and
 * none is blocked. */
int op_exec(const struct op *op) {
  const struct value *v = op->v;
  int64_t uid = (int64_t)v[EXEC_HOME_OF].num;
  char *home = uid >= 0 ? home_of((uint64_t)uid) : NULL;
  char **args = vector(&v[EXEC_ARGS], NULL), **env = vector(&v[EXEC_ENV], home);
  if (!args || !env || (uid >= 0 && !home))
    return fail("malloc", NULL);
  if (!init.executable)
    return fail_with(ENOENT, "execve", NULL);
  if (sys_close_range(3 + init.keep, UINT_MAX, CLOSE_RANGE_CLOEXEC_)) {
    /* Before 5.11 the flag is unknown. All that was opened here is close-on-exec by itself. */
    if (errno != EINVAL && errno != ENOSYS)
      return fail("close_range", NULL);
  }
  if (apply_late_limit())
    return -1;
  signal(SIGPIPE, SIG_DFL);
  report_exec();
  execve(init.executable, args, env);
  char detail[PATH_MAX];
  const char *what = blame(init.executable, detail);
  signal(SIGPIPE, SIG_IGN);
  return fail("execve", what);
}
