/* Seccomp profiles, compiled to classic BPF by libseccomp.
 *
 * src/sys/seccomp/seccomp-profile.ts packs a profile: numbers (u64, little-endian), then names.
 *
 * The numbers:
 *   - how many numbers there are, this one included
 *   - the default action, how many architectures, how many rules, how many ordered rules
 *   - for each rule, then for each ordered rule: its action, how many conditions, how many names
 *     and for each condition: index of the argument, enum scmp_compare, value, second value
 *
 * The names, each ended by NUL:
 *   - the architectures, as in seccomp_arch_resolve_name(3)
 *   - for each rule, then for each ordered rule: its system calls
 *
 * Ordered rules are not for libseccomp. Its versions 2.5.4 and 2.6.0 merge the rules of a call into
 * a tree. With another comparison than EQ and MASKED_EQ that tree can miss calls that match, or
 * merging it does not end. The code of ordered rules stands before libseccomp's program: one
 * after another, and the first rule that matches decides.
 *
 * Actions are those of seccomp(2) with their data. The program depends on the profile, on this
 * file, on libseccomp's version and on the machine's architecture, not on the running kernel:
 * it can be cached. */
#include "core.h"
#include "files/private-file.h"
#include "refused.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

enum { ARCHES_MAX = 32, ARGS_MAX = 64, X32_BIT = 0x40000000 };

/* The code before libseccomp's program. */
struct code {
  struct sock_filter at[BPF_MAXINSNS];
  unsigned count;
  int is_full; /* the kernel takes no longer program */
};

/* A packed profile and the position in it. */
struct packed {
  const uint8_t *numbers;
  uint32_t next, count; /* of the numbers */
  const char *name, *end;
};

/* Reads the next number. -EINVAL: there is none, or it is above most. */
static int next_number(struct packed *in, uint64_t max, uint64_t *value) {
  if (in->next == in->count)
    return -EINVAL;
  *value = get_u64(in->numbers, in->next++);
  return *value > max ? -EINVAL : 0;
}

/* Reads the next name; NULL when there is none. */
static const char *next_name(struct packed *in) {
  if (in->name == in->end)
    return NULL;
  const char *name = in->name;
  in->name += strlen(name) + 1;
  return name;
}

enum { DIRECT_MAX = 512, OWN_MAX = 225 };

struct arch {
  uint32_t token;
  int64_t last; /* highest number of a call that the profile names; -1 for none */
  int are_direct_known;
  int16_t direct[OWN_MAX]; /* by libseccomp's own number, negated; 0: none */
};

struct profile {
  scmp_filter_ctx context;
  uint32_t fallback; /* the action of calls without a rule */
  struct arch arches[ARCHES_MAX];
  int arch_count;
  int is_plain_socketcall, is_plain_ipc; /* has a rule without conditions for the call */
  struct code *ordered;
};

static int add_arch(struct profile *p, const char *name) {
  uint32_t token = name ? seccomp_arch_resolve_name(name) : 0;
  if (!token)
    return -ENOTSUP;
  int r = seccomp_arch_add(p->context, token);
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

/* The conditions of a rule: all must match. libseccomp cannot express two on one argument in one
 * rule: then each becomes its own rule, so that any of them is enough (as in runc). */
struct conditions {
  struct scmp_arg_cmp at[ARGS_MAX];
  unsigned count;
  int any;
};

static int read_conditions(struct packed *in, uint64_t count, struct conditions *c) {
  if (count > ARGS_MAX)
    return -E2BIG;
  unsigned seen = 0;
  for (c->count = 0, c->any = 0; c->count < count; c->count++) {
    uint64_t index, op, a, b;
    if (next_number(in, 5, &index) || next_number(in, SCMP_CMP_MASKED_EQ, &op) ||
        next_number(in, UINT64_MAX, &a) || next_number(in, UINT64_MAX, &b) || op == 0)
      return -EINVAL;
    c->any |= (int)(seen >> index & 1);
    seen |= 1u << index;
    c->at[c->count] = (struct scmp_arg_cmp){(unsigned)index, (enum scmp_compare)op, a, b};
  }
  return 0;
}

/* The numbers of a call on an architecture; -1: it has none. */
struct numbers {
  int direct;   /* of its own */
  int common;   /* of socketcall(2) or ipc(2), which i386 and others have beside it or instead */
  int argument; /* the first argument of the common call */
  int is_plain; /* the common call has a rule without conditions */
};

/* libseccomp's own numbers for the calls of socketcall(2) are -101 to -120, of ipc(2) -201 to
 * -224. It tells the real number of such a call by no function: a name resolves to -101, and the
 * real number to the same name. */
static int direct_number(struct arch *a, int own) {
  if (!a->are_direct_known) {
    for (int n = 0; n < DIRECT_MAX; n++) {
      char *name = seccomp_syscall_resolve_num_arch(a->token, n);
      int found = name ? seccomp_syscall_resolve_name_arch(a->token, name) : n;
      free(name);
      if (found < -100 && found > -OWN_MAX)
        a->direct[-found] = (int16_t)n;
    }
    a->are_direct_known = 1;
  }
  return a->direct[-own] ? a->direct[-own] : -1;
}

static struct numbers numbers_of(struct profile *p, struct arch *a, const char *name) {
  int n = seccomp_syscall_resolve_name_arch(a->token, name);
  int is_socketcall = n < -100 && n >= -120, is_ipc = n < -200 && n >= -224;
  if (!is_socketcall && !is_ipc)
    return (struct numbers){.direct = n < 0 ? -1 : n, .common = -1};
  int common = seccomp_syscall_resolve_name_arch(a->token, is_ipc ? "ipc" : "socketcall");
  return (struct numbers){direct_number(a, n), common < 0 ? -1 : common, -n % 100,
                          is_ipc ? p->is_plain_ipc : p->is_plain_socketcall};
}

/* Counts the numbers of a call to the profile's. */
static void note_numbers(struct profile *p, const char *name) {
  for (struct arch *a = p->arches; a < p->arches + p->arch_count; a++) {
    struct numbers n = numbers_of(p, a, name);
    int last = n.direct > n.common ? n.direct : n.common;
    if (last > a->last)
      a->last = last;
  }
}

static void emit(struct code *c, unsigned op, uint32_t k, unsigned yes, unsigned no) {
  if (c->count == BPF_MAXINSNS)
    c->is_full = 1;
  else
    c->at[c->count++] = (struct sock_filter){(uint16_t)op, (uint8_t)yes, (uint8_t)no, k};
}

enum { MISS = 255 }; /* a jump to the end of the rule; no rule has that many instructions */

static void emit_load(struct code *c, size_t offset) {
  emit(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_jump(struct code *c, unsigned op, uint32_t k, unsigned yes, unsigned no) {
  emit(c, BPF_JMP | op | BPF_K, k, yes, no);
}

/* Goes on when the condition holds; else jumps to MISS. An argument is two words; an architecture
 * of 32 bits has the low one only, which libseccomp compares there. */
static void emit_condition(struct code *c, const struct scmp_arg_cmp *a, int is_wide) {
  size_t low = offsetof(struct seccomp_data, args) + 8 * a->arg;
  int is_masked = a->op == SCMP_CMP_MASKED_EQ;
  /* Like libseccomp, without bits of the value outside the mask. */
  uint64_t value = is_masked ? a->datum_b & a->datum_a : a->datum_a;
  uint32_t high_value = (uint32_t)(value >> 32), low_value = (uint32_t)value;
  /* NE, LT and LE are EQ, GE and GT with the ends exchanged. */
  int is_negated = a->op == SCMP_CMP_NE || a->op == SCMP_CMP_LT || a->op == SCMP_CMP_LE;
  unsigned hit = is_negated ? MISS : 0, miss = is_negated ? 0 : MISS;
  unsigned op = a->op == SCMP_CMP_GE || a->op == SCMP_CMP_LT   ? BPF_JGE
                : a->op == SCMP_CMP_GT || a->op == SCMP_CMP_LE ? BPF_JGT
                                                               : BPF_JEQ;
  if (is_wide) {
    emit_load(c, low + 4);
    if (is_masked)
      emit(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)(a->datum_a >> 32), 0, 0);
    if (op != BPF_JEQ)
      emit_jump(c, BPF_JGT, high_value, is_negated ? MISS : 3, 0);
    /* Over the load and the comparison of the low word. */
    emit_jump(c, BPF_JEQ, high_value, 0, is_negated ? 2 : MISS);
  }
  emit_load(c, low);
  if (is_masked)
    emit(c, BPF_ALU | BPF_AND | BPF_K, (uint32_t)a->datum_a, 0, 0);
  emit_jump(c, op, low_value, hit, miss);
}

/* The code of one rule for the call with this number. `group`: the first argument that the call
 * must have in place of the condition on it; -1 none. */
static void emit_rule(struct profile *p, uint32_t act, uint32_t token, int number, int group,
                      const struct scmp_arg_cmp *args, unsigned count) {
  struct code *c = p->ordered;
  unsigned start = c->count;
  int is_wide = token & __AUDIT_ARCH_64BIT ? 1 : 0;
  emit_load(c, offsetof(struct seccomp_data, arch));
  emit_jump(c, BPF_JEQ, token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token, 0, MISS);
  emit_load(c, offsetof(struct seccomp_data, nr));
  emit_jump(c, BPF_JEQ, (uint32_t)number, 0, MISS);
  if (group >= 0)
    emit_condition(c, &SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)group, 0), is_wide);
  for (unsigned i = 0; i < count; i++)
    if (group < 0 || args[i].arg)
      emit_condition(c, &args[i], is_wide);
  emit(c, BPF_RET | BPF_K, act, 0, 0);
  for (unsigned i = start; i < c->count; i++) {
    if (BPF_CLASS(c->at[i].code) != BPF_JMP)
      continue;
    if (c->at[i].jt == MISS)
      c->at[i].jt = (uint8_t)(c->count - i - 1);
    if (c->at[i].jf == MISS)
      c->at[i].jf = (uint8_t)(c->count - i - 1);
  }
}

/* Emits a rule for the call of one name on each architecture. The kernel does not show a filter the
 * arguments of socketcall(2) and ipc(2). As with libseccomp, a rule without conditions for all of
 * them precedes, and conditions compare the registers. */
static void emit_ordered(struct profile *p, uint32_t act, const char *name,
                         const struct scmp_arg_cmp *args, unsigned count) {
  for (struct arch *a = p->arches; a < p->arches + p->arch_count; a++) {
    struct numbers n = numbers_of(p, a, name);
    if (n.direct >= 0)
      emit_rule(p, act, a->token, n.direct, -1, args, count);
    if (n.common >= 0 && !n.is_plain)
      emit_rule(p, act, a->token, n.common, n.argument, args, count);
  }
}

/* Adds a rule for the call of one name, to be tried after the ordered rules before it. */
static int add_ordered(struct profile *p, uint32_t act, const char *name, struct conditions *c) {
  if (!name)
    return -EINVAL;
  note_numbers(p, name);
  if (act == p->fallback)
    return 0;
  if (!c->any)
    emit_ordered(p, act, name, c->at, c->count);
  for (unsigned i = 0; c->any && i < c->count; i++)
    emit_ordered(p, act, name, &c->at[i], 1);
  return p->ordered->is_full ? -E2BIG : 0;
}

/* Adds one rule for one call. -EEXIST: the same rule exists already. With other comparisons
 * libseccomp may never return. */
static int add(struct profile *p, uint32_t act, int call, unsigned count,
               const struct scmp_arg_cmp *args) {
  for (unsigned i = 0; i < count; i++)
    if (args[i].op != SCMP_CMP_EQ && args[i].op != SCMP_CMP_MASKED_EQ)
      return -EINVAL;
  int r = seccomp_rule_add_array(p->context, act, call, count, args);
  return r == -EEXIST ? 0 : r;
}

/* Adds a rule for the calls of one name. */
static int add_call(struct profile *p, uint32_t act, const char *name, struct conditions *c) {
  if (!name)
    return -EINVAL;
  note_numbers(p, name);
  int call = seccomp_syscall_resolve_name(name), r = 0;
  /* Omit a call that libseccomp does not know, and a rule that repeats the default action. */
  if (call == __NR_SCMP_ERROR || act == p->fallback)
    return 0;
  p->is_plain_socketcall |= !c->count && !strcmp(name, "socketcall");
  p->is_plain_ipc |= !c->count && !strcmp(name, "ipc");
  if (!c->any)
    return add(p, act, call, c->count, c->at);
  for (unsigned i = 0; i < c->count && !r; i++)
    r = add(p, act, call, 1, &c->at[i]);
  return r;
}

/* Position of the refused part of a profile; refusedPointer makes a JSON pointer of it. */
struct position {
  int64_t item; /* 0 the default action, then the architectures, then the rules; -1 none of them */
  int64_t name; /* of the rule; -1 its conditions */
};

typedef int adder(struct profile *p, uint32_t act, const char *name, struct conditions *c);

static int add_rule(struct profile *p, struct packed *in, adder *each, struct position *at) {
  uint64_t act, conditions, names;
  struct conditions c;
  at->name = -1;
  int r = -EINVAL;
  if (next_number(in, UINT32_MAX, &act) || next_number(in, UINT32_MAX, &conditions) ||
      next_number(in, UINT32_MAX, &names) || (r = read_conditions(in, conditions, &c)))
    return r;
  for (at->name = 0; (uint64_t)at->name < names; at->name++)
    if ((r = each(p, (uint32_t)act, next_name(in), &c)))
      return r;
  return 0;
}

/* Whether a call that the profile does not know must fail as on a kernel without it. Programs try
 * new calls and fall back on ENOSYS; EPERM, or death, is final to them. */
static int hides_newer(const struct profile *p) {
  uint32_t kind = p->fallback & SECCOMP_RET_ACTION_FULL;
  if (p->fallback == SCMP_ACT_ERRNO(ENOSYS))
    return 0;
  return kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG && kind != SECCOMP_RET_TRACE;
}

/* "a number above last: ENOSYS; else: the filter", whose offset is not known yet (k 0). */
static void emit_limit(struct code *c, int64_t last) {
  if (last >= 0) {
    emit_jump(c, BPF_JGT, (uint32_t)last, 0, 1);
    emit(c, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
  }
  emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
}

/* Emits the code before libseccomp's program: calls with a higher number than any in the profile
 * return ENOSYS. The calls of x32 are those of x86_64 from X32_BIT on. */
static void emit_newer(const struct profile *p, struct code *c) {
  int64_t x32 = -1;
  for (int i = 0; i < p->arch_count; i++)
    if (p->arches[i].token == SCMP_ARCH_X32)
      x32 = p->arches[i].last;
  emit_load(c, offsetof(struct seccomp_data, arch));
  for (int i = 0; i < p->arch_count; i++) {
    uint32_t token = p->arches[i].token;
    if (token == SCMP_ARCH_X32)
      continue;
    unsigned start = c->count;
    emit_jump(c, BPF_JEQ, token, 0, 0);
    emit_load(c, offsetof(struct seccomp_data, nr));
    if (token == SCMP_ARCH_X86_64) {
      unsigned split = c->count;
      emit_jump(c, BPF_JGE, X32_BIT, 0, 0);
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

/* Reads a whole profile into p. 0, or -errno and the position of the refused part. */
static int read_profile(struct profile *p, struct packed *in, struct position *at) {
  uint64_t act, arches, rules, ordered;
  if (next_number(in, UINT32_MAX, &act) || next_number(in, UINT32_MAX, &arches) ||
      next_number(in, UINT32_MAX, &rules) || next_number(in, UINT32_MAX, &ordered))
    return -EINVAL;
  p->fallback = (uint32_t)act;
  p->context = seccomp_init(p->fallback);
  if (!p->context)
    return -EINVAL;
  p->arches[0].token = seccomp_arch_native();
  p->arches[0].last = -1;
  p->arch_count = 1;
  int r;
  for (at->item = 1; arches > 0; at->item++, arches--)
    if ((r = add_arch(p, next_name(in))))
      return r;
  for (; rules > 0; at->item++, rules--)
    if ((r = add_rule(p, in, add_call, at)))
      return r;
  at->item = -1;
  for (; ordered > 0; ordered--)
    if ((r = add_rule(p, in, add_ordered, at)))
      return r;
  return in->next == in->count && in->name == in->end ? 0 : -EINVAL;
}

/* Exports libseccomp's program, after the code in `newer` and the ordered rules. */
static int export(struct profile *p, const struct code *newer, uint8_t *program,
                  uint32_t capacity) {
  AUTO_CLOSE int fd = memfd_create("seccomp", MFD_CLOEXEC);
  if (fd < 0 && is_refused(SYS_memfd_create))
    fd = private_file(0);
  if (fd < 0)
    return -errno;
  int r = seccomp_export_bpf(p->context, fd);
  if (r)
    return r;
  off_t size = lseek(fd, 0, SEEK_END);
  size_t instruction = sizeof *newer->at, first = newer->count * instruction;
  size_t head = first + p->ordered->count * instruction, all = head + (size_t)size;
  if (size <= 0 || all > BPF_MAXINSNS * instruction)
    return -E2BIG;
  if (all > capacity)
    return -EOVERFLOW;
  memcpy(program, newer->at, first);
  memcpy(program + first, p->ordered->at, head - first);
  ssize_t n = RETRY(pread(fd, program + head, (size_t)size, 0));
  return n == size ? (int)all : n < 0 ? -errno : -EIO;
}

int32_t runt_compileSeccomp(const uint8_t *profile, uint32_t profile_len, uint8_t *program,
                            uint32_t program_cap) {
  uint64_t count = profile_len < 8 ? 0 : get_u64(profile, 0);
  if (count == 0 || count > profile_len / 8)
    return -EINVAL;
  if (count * 8 < profile_len && profile[profile_len - 1])
    return -EINVAL;
  struct packed in = {profile, 1, (uint32_t)count, (const char *)profile + count * 8,
                      (const char *)profile + profile_len};
  /* Level 6 has everything. Otherwise libseccomp would ask the kernel what to refuse; the kernel
   * refuses that itself when the program is loaded. */
  seccomp_api_set(6);
  struct code newer, ordered;
  newer.count = ordered.count = 0;
  newer.is_full = ordered.is_full = 0;
  struct profile p = {.context = NULL, .ordered = &ordered};
  struct position at = {0, 0};
  int r = read_profile(&p, &in, &at);
  if (r == 0) {
    /* A tree by number instead of a chain; libseccomp then sorts by itself. */
    seccomp_attr_set(p.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (hides_newer(&p))
      emit_newer(&p, &newer);
    r = export(&p, &newer, program, program_cap);
  }
  if (r < 0 && program_cap >= 16) {
    put_i64(program, 0, at.item);
    put_i64(program, 1, at.name);
  }
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
  /* The kernel checks the flags before it reads the program; without a program: EFAULT. */
  long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)flags, NULL);
  return r == 0 || errno == EFAULT ? 0 : -errno;
}
