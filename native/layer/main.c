/* Main program of runt-layer.
 *
 *   runt-layer layer|archive|empty PARENT SIZE DIGEST DIFF-ID BYTES ENTRIES
 *
 * `empty` removes what is in the directory: only root of its user namespace may remove all of it.
 *
 * It reads what a stranger may have written: so it is a process of its own, whose root directory is
 * the directory that it unpacks into, and which has only the capabilities that unpacking takes. */
#include "layer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct layer layer;

/* The address space: libarchive's buffers, zstd's window of at most 128 MiB, and the names of this
 * layer's entries. */
static const rlim_t memory_max = (rlim_t)1 << 30;

/* Warnings by kind; there are few kinds. */
enum { KINDS_MAX = 8 };
static struct warning {
  const char *kind, *detail;
  char *path;
  int error;
  unsigned long count;
} warnings[KINDS_MAX];

static void put(const char *group, const char *kind, int error, unsigned long count,
                const char *path, const char *detail) {
  char text[2 * PATH_MAX + 1024];
  int n = snprintf(text, sizeof text, "%s%c%s%c%d%c%lu%c%.*s%c%.512s%c", group, 0, kind, 0, error,
                   0, count, 0, PATH_MAX,
                   !path   ? ""
                   : *path ? path
                           : "/",
                   0, detail ? detail : "", 0);
  for (ssize_t at = 0, r; at < n; at += r)
    if ((r = RETRY(write(REPORT_FD, text + at, (size_t)(n - at)))) <= 0)
      _exit(1);
}

_Noreturn void fail(const char *kind, int error, const char *path, const char *detail) {
  put(LAYER_REPORT_ERROR, kind, error, 1, path, detail);
  _exit(1);
}

_Noreturn void fail_call(const char *call, const char *path) {
  fail(LAYER_ERROR_CALL, errno, path, call);
}

void warn(const char *kind, int error, const char *path, const char *detail) {
  for (struct warning *w = warnings; w < warnings + KINDS_MAX; w++) {
    if (!w->kind)
      *w = (struct warning){
          .kind = kind, .detail = strdup(detail), .path = strdup(path), .error = error};
    if (strcmp(w->kind, kind) == 0) {
      w->count++;
      return;
    }
  }
}

static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (errno || *end || end == text)
    fail(LAYER_ERROR_CALL, EINVAL, NULL, text);
  return value;
}

/* Lowers a limit. A caller's that is lower stays: to raise it takes CAP_SYS_RESOURCE. */
static void limit(int resource, rlim_t most) {
  struct rlimit r;
  if (syscall(SYS_prlimit64, 0, resource, NULL, &r))
    fail_call("prlimit64", NULL);
  if (r.rlim_max > most)
    r.rlim_max = most;
  if (r.rlim_cur > r.rlim_max)
    r.rlim_cur = r.rlim_max;
  if (syscall(SYS_prlimit64, 0, resource, &r, NULL))
    fail_call("prlimit64", NULL);
}

/* Enters the user namespace of the container, if there is one: files get the ids that it maps. */
static void enter_namespace(void) {
  if (setns(NAMESPACE_FD, CLONE_NEWUSER) == 0) {
    if (setresgid(0, 0, 0))
      fail_call("setresgid", NULL);
    if (setresuid(0, 0, 0))
      fail_call("setresuid", NULL);
  } else if (errno != EINVAL && errno != ENOTTY) { /* /dev/null: there is none */
    fail_call("setns", NULL);
  }
}

/* Keeps the capabilities that unpacking takes. SYS_ADMIN is for attributes named trusted.*. */
static void drop_capabilities(void) {
  static const int kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_FSETID,
                             CAP_MKNOD, CAP_SETFCAP,      CAP_SYS_ADMIN};
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data))
    fail_call("capget", NULL);
  uint64_t mask = 0;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    mask |= (uint64_t)1 << kept[i];
  for (int i = 0; i < 2; i++) {
    data[i].permitted &= (uint32_t)(mask >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data))
    fail_call("capset", NULL);
}

static void confine(pid_t parent) {
  close(PROGRAM_FD);
  enter_namespace();
  close(NAMESPACE_FD);
  /* A change of ids resets it, so it comes after. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
    fail_call("prctl", NULL);
  if (getppid() != parent)
    _exit(1);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    fail_call("prctl", NULL);
  if (fchdir(ROOT_FD))
    fail_call("fchdir", NULL);
  if (chroot("."))
    fail_call("chroot", NULL);
  drop_capabilities();
  limit(RLIMIT_AS, memory_max);
  limit(RLIMIT_CORE, 0);
  umask(0);
}

/* Of argv. */
enum { UNPACK_ARGUMENTS = 8, EMPTY_ARGUMENTS = 3 };

static void unpack_blob(char **argv) {
  layer.is_layer = strcmp(argv[1], "layer") == 0;
  layer.bytes_left = number(argv[6]);
  layer.entries_left = number(argv[7]);
  unpack_stream(number(argv[3]), argv[4], argv[5]);
}

int main(int argc, char **argv) {
  bool empties = argc == EMPTY_ARGUMENTS && strcmp(argv[1], "empty") == 0;
  if (!empties && argc != UNPACK_ARGUMENTS)
    fail(LAYER_ERROR_CALL, EINVAL, NULL, "main");
  confine((pid_t)number(argv[2]));
  if (empties)
    empty_root();
  else
    unpack_blob(argv);
  for (const struct warning *w = warnings; w < warnings + KINDS_MAX && w->kind; w++)
    put(LAYER_REPORT_WARNING, w->kind, w->error, w->count, w->path, w->detail);
  char left[2][24];
  snprintf(left[0], sizeof left[0], "%llu", (unsigned long long)layer.bytes_left);
  snprintf(left[1], sizeof left[1], "%llu", (unsigned long long)layer.entries_left);
  put(LAYER_REPORT_DONE, "", 0, 0, left[0], left[1]);
  return 0;
}
