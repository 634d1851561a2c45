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

#include "calls.h"

enum { RULES_MAX = 32 };

static unsigned number_of(const char *name, size_t length) {
  unsigned number = call_number(name, length);
  /* An old name for what a newer architecture has only as another call. */
  if (number != NO_CALL || (length == 4 && memcmp(name, "open", 4) == 0))
    return number;
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
