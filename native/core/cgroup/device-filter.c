/* BPF device filter of a v2 cgroup. */
#include "../core.h"
#include "../time-limits.h"
#include <fcntl.h>
#include <linux/bpf.h>

/* The verifier's limit is 4096 instructions without CAP_BPF, a million with it; a device list is
 * far below either. */
enum { INSTRUCTIONS_MAX = 65536 };

static int bpf(int command, union bpf_attr *attr) {
  return (int)RETRY(syscall(SYS_bpf, command, attr, sizeof *attr));
}

/* The name of our programs; a manager of the cgroup may have attached others. */
static const char name[BPF_OBJ_NAME_LEN] = "runt_devices";

/* A descriptor of our program that is attached to the cgroup itself; -1 when there is none or the
 * kernel cannot tell (before 4.15). Then the new one is added, and both must agree. */
static int attached(int cgroup) {
  uint32_t ids[64] = {0};
  union bpf_attr query;
  memset(&query, 0, sizeof query);
  query.query.target_fd = (uint32_t)cgroup;
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = (uintptr_t)ids;
  query.query.prog_cnt = sizeof ids / sizeof *ids;
  if (bpf(BPF_PROG_QUERY, &query) < 0)
    return -1;
  for (uint32_t i = 0; i < query.query.prog_cnt; i++) {
    union bpf_attr get;
    memset(&get, 0, sizeof get);
    get.prog_id = ids[i];
    int program = bpf(BPF_PROG_GET_FD_BY_ID, &get);
    if (program < 0)
      continue;
    struct bpf_prog_info info;
    memset(&info, 0, sizeof info);
    union bpf_attr ask;
    memset(&ask, 0, sizeof ask);
    ask.info.bpf_fd = (uint32_t)program;
    ask.info.info = (uintptr_t)&info;
    ask.info.info_len = sizeof info;
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, &ask) == 0 && strncmp(info.name, name, sizeof name) == 0)
      return program;
    close(program);
  }
  return -1;
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
  memcpy(load.prog_name, name, sizeof name);
  /* The verifier stops with EAGAIN when a signal is pending: block signals until it is done. */
  uint64_t before;
  set_signal_mask(UINT64_MAX, &before);
  AUTO_CLOSE int loaded = bpf(BPF_PROG_LOAD, &load);
  for (int tries = 1; loaded < 0 && errno == EAGAIN && tries < BPF_LOAD_TRIES; tries++)
    loaded = bpf(BPF_PROG_LOAD, &load);
  int failed = loaded < 0 ? errno : 0;
  set_signal_mask(before, NULL);
  if (failed)
    return -failed;

  /* ALLOW_MULTI: the filters of all managers must agree, none replaces another's. The kernel keeps
   * the program as long as the cgroup, without the descriptor (close-on-exec). */
  union bpf_attr attach;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = (uint32_t)cgroup;
  attach.attach_bpf_fd = (uint32_t)loaded;
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  /* In one step (5.6), so that never every device is allowed, or denied. */
  AUTO_CLOSE int old = attached(cgroup);
  if (old >= 0) {
    attach.attach_flags |= BPF_F_REPLACE;
    attach.replace_bpf_fd = (uint32_t)old;
  }
  return bpf(BPF_PROG_ATTACH, &attach) < 0 ? -errno : 0;
}
