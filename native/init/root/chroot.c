/* A process root that is not the mount namespace's (chroot(2)), and a ramdisk's root, which
 * pivot_root(2) cannot replace. */
#include "../init.h"
#include <sched.h>
#include <sys/mount.h>

/* Safe: the namespace is our own, from the private procfs, so only the root and the working
 * directory of this process change. It has one thread and shares neither. */
static int enter_namespace_root(void) {
  int own CLEANUP_CLOSE = proc_open_namespace("mnt");
  if (own < 0)
    return fail("open", "/proc/self/ns/mnt");
  return syscall(SYS_setns, own, CLONE_NEWNS) ? fail("setns", "/proc/self/ns/mnt") : 0;
}

static int open_root(void) { return sys_open("/", O_PATH | O_DIRECTORY); }

static int go_back(int root) {
  return fchdir(root) || chroot(".") ? fail("chroot", "back into the root of runt") : 0;
}

/* Only a mount has a propagation, and pivot_root(2) demands that the parent of the container's
 * root is not shared. The mount that holds this directory may be shared: all become slaves
 * before the clone is attached, or the host would see it.
 *
 * Safe: acts on our copy of the mount tree. The clone shows what the root showed, is its peer
 * if that was shared, and is attached right on it. */
int mount_chroot(void) {
  int old CLEANUP_CLOSE = open_root();
  int tree CLEANUP_CLOSE = clone_mount(AT_FDCWD, "/", AT_RECURSIVE);
  if (old < 0 || tree < 0)
    return fail(old < 0 ? "open" : clone_call(), "/");
  if (enter_namespace_root())
    return -1;
  if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL))
    return fail("mount", "the root above the one of runt");
  if (go_back(old))
    return -1;
  if (move_tree(tree, old))
    return fail(move_call(), "/");
  init.chrooted = 1;
  return go_back(tree);
}

int leave_chroot(void) {
  static int left;
  if (left)
    return 1;
  int old CLEANUP_CLOSE = open_root();
  if (old < 0)
    return fail("open", "/");
  /* Without CAP_SYS_CHROOT, or under a seccomp filter: then the container has no more rights than
   * this process, and an exec needs the same call. */
  if (enter_namespace_root())
    return errno == EPERM || errno == ENOSYS ? 0 : -1;
  int now CLEANUP_CLOSE = open_root();
  struct identity was, is, container;
  if (now < 0 || identify(old, &was) || identify(now, &is) || identify(init.root, &container))
    return fail("statx", "/");
  /* The mount over our root is the container's, or was, before hooks were shown another one. */
  if (is.mount == container.mount || (init.covered_roots && is.mount == init.covered_root) ||
      (is.mount == was.mount && is.inode == was.inode))
    return go_back(old);
  init.chrooted = left = 1;
  return 1;
}

/* The parent of the mount with this id in mountinfo; -1 when the mount is not listed. */
static int64_t parent_of(const char *mountinfo, int64_t id) {
  struct mountinfo line;
  while ((mountinfo = mountinfo_next(mountinfo, &line)))
    if (line.id == id)
      return line.parent;
  return -1;
}

int is_ramdisk(void) {
  int root CLEANUP_CLOSE = open_root();
  int64_t id = root < 0 ? -1 : mount_id(root);
  if (id < 0)
    return fail("statx", "/");
  const char *mountinfo = mountinfo_read();
  return mountinfo ? parent_of(mountinfo, id) == id : -1;
}

/* The mount on `root` that is or holds the container's root; -1 after fail(). Roots that a mount
 * on `/` covered are the container's too, and stay. Other mounts between are not ours. */
static int64_t holder_on(const char *mountinfo, int64_t root) {
  int64_t id = mount_id(init.root), parent = parent_of(mountinfo, id);
  for (unsigned n = 0; n < init.covered_roots && parent >= 0 && parent != root; n++) {
    id = parent;
    parent = parent_of(mountinfo, id);
  }
  return parent == root ? id : fail_with(EBUSY, "pivot_root", "ramdisk");
}

/* Detaches the mounts on the mount `root`, except `keep`: 1 when there were none, 0 for some,
 * -1 after fail(). The last one listed goes first, as it may hide others.
 *
 * Safe: `root` is the root of this process, and all paths are the kernel's. Each tree first
 * becomes a slave, so that the host keeps the mounts below it. */
static int detach_others(int64_t root, const char *mountinfo, int64_t keep) {
  enum { MOST = 512 };
  const char *lines[MOST];
  struct mountinfo line;
  char target[PATH_MAX] = "/";
  unsigned found = 0, detached = 0;
  for (const char *at = mountinfo, *next; (next = mountinfo_next(at, &line)); at = next)
    if (line.parent == root && line.id != root && line.id != keep)
      lines[found++ % MOST] = at;
  for (unsigned n = found; n > 0 && n + MOST > found; n--) {
    mountinfo_next(lines[(n - 1) % MOST], &line);
    if (mountinfo_target(&line, target))
      return -1;
    if (!mount(NULL, target, NULL, MS_SLAVE | MS_REC, NULL) && !umount2(target, MNT_DETACH))
      detached++;
    /* A mount that another one hides is missing, or not a mount point, until that one is gone. */
    else if (errno != EINVAL && errno != ENOENT && errno != ENOTDIR)
      return fail("umount2", target);
  }
  /* Locked: runt is in a user namespace itself. */
  return found && !detached ? fail_with(EPERM, "umount2", "ramdisk") : !found;
}

/* Safe: the ramdisk's root is private before anything on it changes. When the container's root is
 * the only mount on it, that is the root of the mount namespace: setns(2) leads there, and the
 * kernel does not take it for a chroot. */
int cover_ramdisk(int move) {
  /* In the mount namespace of a user namespace the host's mounts are locked, but not the
   * container's root: the container could unmount it, and see them. */
  if (init.user_namespace)
    return fail_with(EPERM, "pivot_root", "ramdisk");
  int root CLEANUP_CLOSE = open_root();
  int64_t id = root < 0 ? -1 : mount_id(root);
  if (id < 0)
    return fail("statx", "/");
  if (mount(NULL, "/", NULL, MS_PRIVATE, NULL))
    return fail("mount", "/");
  if (move && move_tree(init.root, root))
    return fail(move_call(), "/");
  for (int done = 0; !done;) {
    const char *mountinfo = mountinfo_read();
    int64_t keep = mountinfo ? holder_on(mountinfo, id) : -1;
    done = keep < 0 ? -1 : detach_others(id, mountinfo, keep);
    if (done < 0)
      return -1;
  }
  return fchdir(init.root) || chroot(".") ? fail("chroot", NULL) : 0;
}
