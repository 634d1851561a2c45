/* refuse-layers PROGRAM ARGS…: runs a program on a kernel that takes no descriptors as layers of an
 * overlay: fsconfig(2) with FSCONFIG_SET_FD fails with EBADF, as before Linux 6.15. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  /* The low half of a 64-bit argument; x86_64 and aarch64 are little-endian. */
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsconfig, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FSCONFIG_SET_FD, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBADF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (argc < 2)
    return 2;
  /* Without PR_SET_NO_NEW_PRIVS: the program is run as root. */
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
    execv(argv[1], argv + 1);
  perror(argv[0]);
  return 1;
}
