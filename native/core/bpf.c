/* BPF: the device filter of a v2 cgroup. */
#include "core.h"
#include <fcntl.h>
#include <linux/bpf.h>

/* The verifier's own limit without CAP_BPF is 4096 instructions, with it a million; a device list
 * is far below either. */
enum { INSTRUCTIONS_MAX = 65536 };

static int bpf(int command, union bpf_attr *attr) {
  return (int)RETRY(syscall(SYS_bpf, command, attr, sizeof *attr));
}

int32_t runt_attachDeviceFilter(const char *path, const uint8_t *program, uint32_t program_len) {
  if (program_len == 0 || program_len % sizeof(struct bpf_insn) != 0 ||
      program_len / sizeof(struct bpf_insn) > INSTRUCTIONS_MAX)
    return -EINVAL;
  AUTO_CLOSE int cgroup = RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (cgroup < 0)
    return -errno;

  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = (uintptr_t)program;
  load.insn_cnt = program_len / (uint32_t)sizeof(struct bpf_insn);
  load.license = (uintptr_t) "Apache-2.0";
  AUTO_CLOSE int loaded = bpf(BPF_PROG_LOAD, &load);
  if (loaded < 0)
    return -errno;

  /* ALLOW_MULTI: the filters of all managers must agree, none replaces another's. The kernel keeps
   * the program as long as the cgroup; the descriptor (close-on-exec) is not needed for that. */
  union bpf_attr attach;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = (uint32_t)cgroup;
  attach.attach_bpf_fd = (uint32_t)loaded;
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  return bpf(BPF_PROG_ATTACH, &attach) < 0 ? -errno : 0;
}
