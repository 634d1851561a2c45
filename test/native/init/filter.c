/* filter SYSCALL[@ARG&MASK]=ACTION… -- PROGRAM ARGS…: runs a program for which some system calls
 * fail with an errno (a number), as on an older kernel or in another engine's seccomp profile,
 * or kill the caller (`kill`). With @ARG&MASK, only calls with a bit of MASK (hexadecimal) set
 * in the low half of that argument. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMED(name, number)                                                                        \
  { name, number }
static const struct {
  const char *name;
  unsigned number;
} calls[] = {
    NAMED("memfd_create", SYS_memfd_create),
    NAMED("execveat", SYS_execveat),
    NAMED("pidfd_send_signal", 424),
    NAMED("open_tree", 428),
    NAMED("move_mount", 429),
    NAMED("fsopen", 430),
    NAMED("fsconfig", 431),
    NAMED("fsmount", 432),
    NAMED("fspick", 433),
    NAMED("pidfd_open", 434),
    NAMED("clone3", 435),
    NAMED("close_range", 436),
    NAMED("openat2", 437),
    NAMED("setns", SYS_setns),
    NAMED("faccessat2", 439),
    NAMED("mount_setattr", 442),
#ifdef SYS_open
    NAMED("open", SYS_open),
#else
    NAMED("open", 0xffffffff), /* none */
#endif
    NAMED("openat", SYS_openat),
    NAMED("statx", SYS_statx),
    NAMED("keyctl", SYS_keyctl),
    NAMED("epoll_ctl", SYS_epoll_ctl),
    NAMED("fstatfs", SYS_fstatfs),
    NAMED("kill", SYS_kill),
    NAMED("mmap", SYS_mmap),
    NAMED("mount", SYS_mount),
    NAMED("prctl", SYS_prctl),
    NAMED("readlinkat", SYS_readlinkat),
    NAMED("sendmsg", SYS_sendmsg),
    NAMED("sendto", SYS_sendto),
    NAMED("signalfd4", SYS_signalfd4),
    NAMED("statfs", SYS_statfs),
    NAMED("umount2", SYS_umount2),
    NAMED("pivot_root", SYS_pivot_root),
    NAMED("mknodat", SYS_mknodat),
    NAMED("symlinkat", SYS_symlinkat),
    NAMED("sethostname", SYS_sethostname),
    NAMED("setgroups", SYS_setgroups),
    NAMED("setsid", SYS_setsid),
    NAMED("setresuid", SYS_setresuid),
    NAMED("capset", SYS_capset),
};

enum { RULES_MAX = 32 };

static unsigned number_of(const char *name, size_t length) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (strlen(calls[i].name) == length && memcmp(calls[i].name, name, length) == 0)
      return calls[i].number;
  fprintf(stderr, "filter: unknown system call %s\n", name);
  exit(125);
}

int main(int argc, char **argv) {
  struct sock_filter code[5 * RULES_MAX + 2];
  unsigned short n = 0;
  code[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0 && i <= RULES_MAX; i++) {
    const char *action = strchr(argv[i], '=');
    if (!action)
      break;
    unsigned result = strcmp(action + 1, "kill") == 0
                          ? SECCOMP_RET_KILL_PROCESS
                          : SECCOMP_RET_ERRNO | (unsigned)atoi(action + 1);
    size_t length = strcspn(argv[i], "@=");
    unsigned number = number_of(argv[i], length);
    unsigned argument = 0, mask = 0;
    int some = sscanf(argv[i] + length, "@%u&%x=", &argument, &mask) == 2 && argument < 6;
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0,
                                             (unsigned char)(some ? 4 : 1));
    if (some) {
      code[n++] = (struct sock_filter)BPF_STMT(
          BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args) + 8 * argument);
      code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result);
    if (some)
      code[n++] =
          (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (i >= argc - 1 || strcmp(argv[i], "--") != 0) {
    fprintf(stderr, "usage: filter SYSCALL[@ARG&MASK]=ERRNO|kill… -- PROGRAM ARGS…\n");
    return 125;
  }
  struct sock_fprog program = {n, code};
  /* Root does not need no_new_privs, and it would change what the container sees. */
  if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
    perror("filter: no_new_privs");
    return 125;
  }
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("filter: seccomp");
    return 125;
  }
  execvp(argv[i + 1], argv + i + 1);
  perror(argv[i + 1]);
  return 125;
}
