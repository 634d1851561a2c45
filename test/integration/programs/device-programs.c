/* device-programs CGROUP: prints the ids of the BPF device programs attached to the cgroup
 * itself on one line, and of all in the kernel on the next. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr) {
  return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int failed(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  uint32_t ids[64];
  union bpf_attr a;
  int cgroup = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (cgroup < 0)
    return failed("the cgroup");
  memset(&a, 0, sizeof a);
  a.query.target_fd = (uint32_t)cgroup;
  a.query.attach_type = BPF_CGROUP_DEVICE;
  a.query.prog_ids = (uintptr_t)ids;
  a.query.prog_cnt = sizeof ids / sizeof *ids;
  if (bpf(BPF_PROG_QUERY, &a) < 0)
    return failed("BPF_PROG_QUERY");
  for (uint32_t i = 0; i < a.query.prog_cnt; i++)
    printf("%s%u", i ? " " : "", ids[i]);
  putchar('\n');
  for (uint32_t id = 0;;) {
    memset(&a, 0, sizeof a);
    a.start_id = id;
    if (bpf(BPF_PROG_GET_NEXT_ID, &a) < 0)
      break;
    id = a.next_id;
    memset(&a, 0, sizeof a);
    a.prog_id = id;
    int program = bpf(BPF_PROG_GET_FD_BY_ID, &a);
    if (program < 0)
      continue;
    struct bpf_prog_info info;
    memset(&info, 0, sizeof info);
    memset(&a, 0, sizeof a);
    a.info.bpf_fd = (uint32_t)program;
    a.info.info = (uintptr_t)&info;
    a.info.info_len = sizeof info;
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, &a) == 0 && info.type == BPF_PROG_TYPE_CGROUP_DEVICE)
      printf("%u ", id);
    close(program);
  }
  if (errno != ENOENT)
    return failed("BPF_PROG_GET_NEXT_ID");
  putchar('\n');
  return 0;
}
