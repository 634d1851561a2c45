/* Overlays of layers that are detached trees (open_tree(2)), so that no layer is mounted in the
 * runtime's mount namespace. */
#include "../core.h"
#include "../process/clone.h"
#include "fs-context.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* overlayfs accepts no more lower layers (OVL_MAX_STACK). */
enum { LAYERS_MAX = 500, NAME_MAX_BYTES = 4 };

struct overlay {
  const char *source;
  const uint8_t *layers; /* descriptors, i32 each */
  uint32_t count;
  const char *options; /* NUL-terminated each */
  uint32_t options_len;
  unsigned attrs;
  const char *target;
  volatile int tree; /* the detached overlay, or -errno */
};

/* The overlay as a detached tree; its layers by descriptor, or, for `names`, by paths. */
static int make_overlay(const struct overlay *o, const char *names) {
  AUTO_CLOSE int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (fs < 0 || set_string(fs, "source", o->source) < 0)
    return -errno;
  for (uint32_t n = 0; !names && n < o->count; n++)
    if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, "lowerdir+", NULL, get_i32(o->layers, n)) < 0)
      return -errno;
  if ((names && set_layers(fs, names) < 0) || set_options(fs, o->options, o->options_len) < 0 ||
      syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return -errno;
  return result(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, o->attrs));
}

/* In a mount namespace of this process: mounts the layers on directories of a tmpfs, and makes an
 * overlay of them, which has clones of these mounts. The namespace ends with the process. */
static int make_hidden(struct overlay *o) {
  static const char digits[] = "0123456789";
  char names[LAYERS_MAX * NAME_MAX_BYTES], *end = names;
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
      mount("tmpfs", o->target, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0 ||
      chdir(o->target) < 0)
    return -errno;
  for (uint32_t n = 0; n < o->count; n++) {
    char name[NAME_MAX_BYTES] = {digits[n / 100], digits[n / 10 % 10], digits[n % 10], 0};
    if (mkdir(name, 0700) < 0 || syscall(SYS_move_mount, get_i32(o->layers, n), "", AT_FDCWD, name,
                                         MOVE_MOUNT_F_EMPTY_PATH) < 0)
      return -errno;
    memcpy(end, name, NAME_MAX_BYTES);
    end += NAME_MAX_BYTES;
    end[-1] = ':';
  }
  end[-1] = 0;
  return make_overlay(o, names);
}

static int child_main(void *argument) {
  struct overlay *o = argument;
  o->tree = make_hidden(o);
  return 0;
}

/* make_hidden in a child that shares the memory and the descriptors of this process, which the
 * kernel suspends meanwhile. If this process is killed, the child continues and ends. */
static int make_in_child(struct overlay *o) {
  _Alignas(16) char stack[32768];
  int pidfd = -1;
  struct clone_args args = {
      .flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWNS | CLONE_PIDFD,
      .pidfd = (uint64_t)(uintptr_t)&pidfd,
      .stack = (uint64_t)(uintptr_t)stack,
      .stack_size = sizeof stack,
  };
  uint64_t before;
  set_signal_mask(UINT64_MAX, &before);
  long pid = clone3_call(&args, child_main, o);
  set_signal_mask(before, NULL);
  if (pid < 0)
    return (int)pid;
  siginfo_t info;
  RETRY(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL));
  close(pidfd);
  return o->tree;
}

int32_t runt_mountOverlay(const char *source, const uint8_t *layers, uint32_t layers_len,
                          const uint8_t *options, uint32_t options_len, int32_t attrs,
                          const char *target, int32_t hidden) {
  if (layers_len == 0 || layers_len % 4 || layers_len / 4 > LAYERS_MAX ||
      (options_len > 0 && options[options_len - 1] != 0))
    return -EINVAL;
  struct overlay o = {.source = source,
                      .layers = layers,
                      .count = layers_len / 4,
                      .options = (const char *)options,
                      .options_len = options_len,
                      .attrs = (unsigned)attrs,
                      .target = target,
                      .tree = -EINTR};
  AUTO_CLOSE int tree = hidden ? make_in_child(&o) : make_overlay(&o, NULL);
  return tree < 0 ? tree : attach_tree(tree, target);
}
