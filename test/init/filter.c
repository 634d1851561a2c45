/* filter SYSCALL=ACTION… -- PROGRAM ARGS…: runs a program for which some system calls fail with an
 * errno (a number), as on an older kernel or in another engine's seccomp profile, or kill the
 * caller (`kill`). */
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
    NAMED("open_tree", 428),
    NAMED("move_mount", 429),
    NAMED("fsopen", 430),
    NAMED("fsmount", 432),
    NAMED("close_range", 436),
    NAMED("openat2", 437),
    NAMED("mount_setattr", 442),
    NAMED("keyctl", SYS_keyctl),
    NAMED("mount", SYS_mount),
    NAMED("umount2", SYS_umount2),
    NAMED("pivot_root", SYS_pivot_root),
    NAMED("mknodat", SYS_mknodat),
    NAMED("symlinkat", SYS_symlinkat),
    NAMED("sethostname", SYS_sethostname),
    NAMED("setgroups", SYS_setgroups),
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
  struct sock_filter code[2 * RULES_MAX + 2];
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
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                             number_of(argv[i], (size_t)(action - argv[i])), 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (i >= argc - 1 || strcmp(argv[i], "--") != 0) {
    fprintf(stderr, "usage: filter SYSCALL=ERRNO|SYSCALL=kill… -- PROGRAM ARGS…\n");
    return 125;
  }
  struct sock_fprog program = {n, code};
  /* As root no_new_privs is not needed, and it would change what the container sees. */
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("filter: seccomp");
    return 125;
  }
  execvp(argv[i + 1], argv + i + 1);
  perror(argv[i + 1]);
  return 125;
}
