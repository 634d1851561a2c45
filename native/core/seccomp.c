/*
 * Seccomp profiles, compiled to classic BPF by libseccomp.
 *
 * A profile comes as lines, each ended by NUL (src/plan/seccomp/seccomp-compile.ts writes them):
 *   default ACTION ERRNO
 *   arch NAME
 *   rule ACTION ERRNO [INDEX OPERATOR VALUE VALUE2]... : NAME...
 * with the spec's names less their prefix, and decimal numbers. What the program is depends on
 * these lines, on libseccomp's version and on the machine's architecture alone, not on the kernel
 * that happens to run: it can be kept.
 */
#include "core.h"
#include "files/private-file.h"
#include "refused.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

enum { ARCHES_MAX = 32, ARGS_MAX = 64, X32_BIT = 0x40000000 };

/* A part of a line. */
struct word {
  const char *at;
  size_t length;
};

static int is(struct word w, const char *text) {
  return strlen(text) == w.length && memcmp(w.at, text, w.length) == 0;
}

/* Takes the next word of a line; its length is 0 at the end. */
static struct word next(const char **line) {
  while (**line == ' ')
    (*line)++;
  struct word w = {*line, strcspn(*line, " ")};
  *line += w.length;
  return w;
}

static int number(struct word w, uint64_t *value) {
  uint64_t n = 0;
  if (w.length == 0 || w.length > 20)
    return -EINVAL;
  for (size_t i = 0; i < w.length; i++) {
    unsigned digit = (unsigned)w.at[i] - '0';
    if (digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
      return -EINVAL;
  }
  *value = n;
  return 0;
}

/* Copies a name for libseccomp, which wants it NUL-terminated; no name of it is longer. */
static int name_of(struct word w, char name[64]) {
  if (w.length == 0 || w.length > 63)
    return -ENAMETOOLONG;
  memcpy(name, w.at, w.length);
  name[w.length] = 0;
  return 0;
}

/* "ACTION ERRNO". errno counts for ERRNO and TRACE, 16 bits of it (seccomp(2), SECCOMP_RET_DATA).
 */
static int action(const char **line, uint32_t *value) {
  static const struct {
    const char *name;
    uint32_t value;
  } actions[] = {
      {"KILL", SCMP_ACT_KILL_THREAD}, {"KILL_THREAD", SCMP_ACT_KILL_THREAD},
      {"TRAP", SCMP_ACT_TRAP},        {"KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
      {"ALLOW", SCMP_ACT_ALLOW},      {"ERRNO", SCMP_ACT_ERRNO(0)},
      {"LOG", SCMP_ACT_LOG},          {"TRACE", SCMP_ACT_TRACE(0)},
      {"NOTIFY", SCMP_ACT_NOTIFY},
  };
  struct word name = next(line);
  uint64_t data;
  if (number(next(line), &data) || data > 0xffff)
    return -EINVAL;
  for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
    if (!is(name, actions[i].name))
      continue;
    *value = actions[i].value;
    if (*value == SCMP_ACT_ERRNO(0) || *value == SCMP_ACT_TRACE(0))
      *value |= (uint32_t)data;
    return 0;
  }
  return -EINVAL;
}

static int operator_of(struct word w) {
  static const char *const names[] = {"", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
  for (int i = SCMP_CMP_NE; i <= SCMP_CMP_MASKED_EQ; i++)
    if (is(w, names[i]))
      return i;
  return -EINVAL;
}

struct profile {
  scmp_filter_ctx context;
  uint32_t fallback; /* the action of calls that no rule names */
  struct {
    uint32_t token;
    int64_t last; /* highest number of a call that the profile names; -1 for none */
  } arches[ARCHES_MAX];
  int arch_count;
};

static int add_arch(struct profile *p, const char *line) {
  char name[64];
  int r = name_of(next(&line), name);
  uint32_t token = r ? 0 : seccomp_arch_resolve_name(name);
  if (!token)
    return -ENOTSUP;
  r = seccomp_arch_add(p->context, token);
  if (r == -EEXIST)
    r = 0;
  if (r || token == p->arches[0].token)
    return r;
  for (int i = 0; i < p->arch_count; i++)
    if (p->arches[i].token == token)
      return 0;
  if (p->arch_count == ARCHES_MAX)
    return -E2BIG;
  p->arches[p->arch_count].token = token;
  p->arches[p->arch_count++].last = -1;
  return 0;
}

/* One rule for one call. -EEXIST: the same rule is there already. */
static int add(struct profile *p, uint32_t act, int call, unsigned count,
               const struct scmp_arg_cmp *args) {
  int r = seccomp_rule_add_array(p->context, act, call, count, args);
  return r == -EEXIST ? 0 : r;
}

/* Arguments are all to match; two conditions on one argument, which libseccomp cannot express in
 * one rule, make each condition a rule of its own, so that any of them is enough (as in runc). */
static int add_rule(struct profile *p, const char *line) {
  uint32_t act;
  int r = action(&line, &act);
  if (r)
    return r;
  struct scmp_arg_cmp args[ARGS_MAX];
  unsigned count = 0, seen = 0, twice = 0;
  struct word w;
  for (w = next(&line); w.length && !is(w, ":"); w = next(&line)) {
    uint64_t index, a, b;
    int op;
    if (count == ARGS_MAX)
      return -E2BIG;
    if (number(w, &index) || index > 5 || (op = operator_of(next(&line))) < 0 ||
        number(next(&line), &a) || number(next(&line), &b))
      return -EINVAL;
    twice |= seen >> index & 1;
    seen |= 1u << index;
    args[count++] = (struct scmp_arg_cmp){(unsigned)index, (enum scmp_compare)op, a, b};
  }
  for (w = next(&line); w.length; w = next(&line)) {
    char name[64];
    if (name_of(w, name))
      continue; /* no system call has such a name */
    for (int i = 0; i < p->arch_count; i++) {
      int n = seccomp_syscall_resolve_name_arch(p->arches[i].token, name);
      if (n >= 0 && n > p->arches[i].last)
        p->arches[i].last = n;
    }
    int call = seccomp_syscall_resolve_name(name);
    /* A call that libseccomp does not know, and what is the default anyway, are left out. */
    if (call == __NR_SCMP_ERROR || act == p->fallback)
      continue;
    if (twice)
      for (unsigned i = 0; i < count && !r; i++)
        r = add(p, act, call, 1, &args[i]);
    else
      r = add(p, act, call, count, args);
    if (r)
      return r;
  }
  return 0;
}

/* Whether a call that the profile does not know shall look as if the kernel did not know it.
 * Programs try new calls and fall back on ENOSYS; EPERM, or death, they take for final. */
static int hides_newer(const struct profile *p) {
  uint32_t kind = p->fallback & SECCOMP_RET_ACTION_FULL;
  if (p->fallback == SCMP_ACT_ERRNO(ENOSYS))
    return 0;
  return kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG && kind != SECCOMP_RET_TRACE;
}

struct code {
  struct sock_filter at[ARCHES_MAX * 9 + 1];
  unsigned count;
};

static void emit(struct code *c, unsigned op, uint32_t k, unsigned yes, unsigned no) {
  c->at[c->count++] = (struct sock_filter){(uint16_t)op, (uint8_t)yes, (uint8_t)no, k};
}

/* "a number above last: ENOSYS; else: the filter", whose place is not known yet (k 0). */
static void emit_limit(struct code *c, int64_t last) {
  if (last >= 0) {
    emit(c, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)last, 0, 1);
    emit(c, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
  }
  emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
}

/* What comes before libseccomp's program: calls with a higher number than any that the profile
 * names return ENOSYS. The calls of x32 are those of x86_64 from X32_BIT on. */
static void emit_newer(const struct profile *p, struct code *c) {
  int64_t x32 = -1;
  for (int i = 0; i < p->arch_count; i++)
    if (p->arches[i].token == SCMP_ARCH_X32)
      x32 = p->arches[i].last;
  emit(c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
  for (int i = 0; i < p->arch_count; i++) {
    uint32_t token = p->arches[i].token;
    if (token == SCMP_ARCH_X32)
      continue;
    unsigned start = c->count;
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, token, 0, 0);
    emit(c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    if (token == SCMP_ARCH_X86_64) {
      unsigned split = c->count;
      emit(c, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 0);
      emit_limit(c, p->arches[i].last);
      c->at[split].jt = (uint8_t)(c->count - split - 1);
      emit_limit(c, x32);
    } else
      emit_limit(c, p->arches[i].last);
    c->at[start].jf = (uint8_t)(c->count - start - 1);
  }
  for (unsigned i = 0; i < c->count; i++)
    if (c->at[i].code == (BPF_JMP | BPF_JA))
      c->at[i].k = c->count - i - 1;
}

/* Reads all lines into p. 0 or -errno; *line counts them. */
static int read_lines(struct profile *p, const uint8_t *profile, uint32_t length, uint32_t *line) {
  const char *at = (const char *)profile, *end = at + length;
  if (length == 0 || end[-1] != 0)
    return -EINVAL;
  for (*line = 0; at < end; at += strlen(at) + 1, ++*line) {
    const char *rest = at;
    struct word kind = next(&rest);
    int r = -EINVAL;
    if (*line == 0) {
      if (is(kind, "default") && (r = action(&rest, &p->fallback)) == 0 &&
          !(p->context = seccomp_init(p->fallback)))
        r = -EINVAL;
      p->arches[0].token = seccomp_arch_native();
      p->arches[0].last = -1;
      p->arch_count = 1;
    } else if (is(kind, "arch"))
      r = add_arch(p, rest);
    else if (is(kind, "rule"))
      r = add_rule(p, rest);
    if (r)
      return r;
  }
  return 0;
}

/* libseccomp's program, behind what c holds. */
static int export(struct profile *p, const struct code *c, uint8_t *program, uint32_t capacity) {
  AUTO_CLOSE int fd = memfd_create("seccomp", MFD_CLOEXEC);
  if (fd < 0 && is_refused(SYS_memfd_create))
    fd = private_file(0);
  if (fd < 0)
    return -errno;
  int r = seccomp_export_bpf(p->context, fd);
  if (r)
    return r;
  off_t size = lseek(fd, 0, SEEK_END);
  size_t head = c->count * sizeof *c->at, all = head + (size_t)size;
  if (size <= 0 || all > BPF_MAXINSNS * sizeof *c->at)
    return -E2BIG;
  if (all > capacity)
    return -EOVERFLOW;
  memcpy(program, c->at, head);
  ssize_t n = RETRY(pread(fd, program + head, (size_t)size, 0));
  return n == size ? (int)all : n < 0 ? -errno : -EIO;
}

int32_t runt_compileSeccomp(const uint8_t *profile, uint32_t profile_len, uint8_t *program,
                            uint32_t program_cap) {
  /* Level 6 has everything. Without this libseccomp would ask the kernel what to refuse; the kernel
   * itself does when the program is loaded. */
  seccomp_api_set(6);
  struct profile p = {.context = NULL};
  struct code before = {.count = 0};
  uint32_t line = 0;
  int r = read_lines(&p, profile, profile_len, &line);
  if (r == 0) {
    /* A tree by number instead of a chain; libseccomp then sorts by itself. */
    seccomp_attr_set(p.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (hides_newer(&p))
      emit_newer(&p, &before);
    r = export(&p, &before, program, program_cap);
  } else if (program_cap >= 8)
    put_i64(program, 0, line);
  seccomp_release(p.context);
  return r;
}

int32_t runt_unknownSyscalls(const uint8_t *names, uint32_t names_len, uint8_t *data,
                             uint32_t data_cap) {
  if (names_len && names[names_len - 1])
    return -EINVAL;
  uint32_t used = 0;
  const char *at = (const char *)names, *end = at + names_len;
  for (size_t n; at < end; at += n + 1) {
    n = strlen(at);
    if (seccomp_syscall_resolve_name(at) != __NR_SCMP_ERROR)
      continue;
    if (n + 1 > data_cap - used)
      return -EOVERFLOW;
    memcpy(data + used, at, n + 1);
    used += (uint32_t)n + 1;
  }
  return (int32_t)used;
}

int32_t runt_seccompVersion(uint8_t *data, uint32_t data_cap) {
  const struct scmp_version *v = seccomp_version();
  struct utsname u;
  if (uname(&u))
    return -errno;
  int n = snprintf((char *)data, data_cap, "%u.%u.%u %s", v->major, v->minor, v->micro, u.machine);
  return n < 0 || (uint32_t)n >= data_cap ? -EOVERFLOW : n;
}

int32_t runt_seccompFlags(int32_t flags) {
  /* The kernel looks at the flags before it reads the program, of which there is none: EFAULT. */
  long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)flags, NULL);
  return r == 0 || errno == EFAULT ? 0 : -errno;
}
