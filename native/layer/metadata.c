/* Owner, mode, extended attributes and times of what was unpacked. */
#include "layer.h"
#include <sys/xattr.h>

static int set_owner(int fd, int parent, const char *name, uid_t uid, gid_t gid) {
  return fd >= 0 ? fchown(fd, uid, gid) : fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

/* (uid_t)-1 would change nothing. */
static bool is_id(int64_t id) { return id >= 0 && id < UINT32_MAX; }

static void owner(int fd, int parent, const char *name, const char *path, struct archive_entry *e) {
  int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
  if (!is_id(uid) || !is_id(gid))
    fail(LAYER_ERROR_OWNER, 0, path, NULL);
  if (set_owner(fd, parent, name, (uid_t)uid, (gid_t)gid) == 0)
    return;
  /* The container's user namespace does not map the id: then its root is the owner. */
  if (errno != EINVAL)
    fail_call("fchownat", path);
  warn(LAYER_WARNING_OWNER, errno, path, "");
  if (set_owner(fd, parent, name, 0, (gid_t)gid) && set_owner(fd, parent, name, (uid_t)uid, 0) &&
      set_owner(fd, parent, name, 0, 0))
    fail_call("fchownat", path);
}

void set_attribute(int fd, int parent, const char *name, const char *path, const char *key,
                   const void *value, size_t size) {
  /* By name in the working directory: there is no call for a symlink's in another one. */
  int r = fd >= 0 ? fsetxattr(fd, key, value, size, 0)
                  : (fchdir(parent) ? -1 : lsetxattr(name, key, value, size, 0));
  if (r == 0)
    return;
  /* EINVAL: not a valid list, or one with an id that the user namespace does not map. */
  bool is_acl = has_prefix(key, "system.posix_acl_");
  if (errno != ENOTSUP && errno != EPERM && !(is_acl && (errno == EINVAL || errno == EACCES)))
    fail_call("fsetxattr", path);
  warn(LAYER_WARNING_XATTR, errno, path, key);
}

static void attributes(int fd, int parent, const char *name, const char *path,
                       struct archive_entry *e) {
  const char *key;
  const void *value;
  size_t size;
  archive_entry_xattr_reset(e);
  while (archive_entry_xattr_next(e, &key, &value, &size) == ARCHIVE_OK) {
    /* The directory may become a layer of an overlay, which these would change. */
    if (has_prefix(key, "trusted.overlay.") || has_prefix(key, "user.overlay.")) {
      warn(LAYER_WARNING_OVERLAY, 0, path, key);
      continue;
    }
    set_attribute(fd, parent, name, path, key, value, size);
  }
}

void set_metadata(int fd, int parent, const char *name, const char *path, struct archive_entry *e) {
  mode_t type = archive_entry_filetype(e), mode = archive_entry_perm(e);
  owner(fd, parent, name, path, e);
  /* After chown(2), which takes setuid and file capabilities away. */
  if (fd >= 0 ? fchmod(fd, mode) : type != AE_IFLNK && fchmodat(parent, name, mode, 0))
    fail_call("fchmodat", path);
  attributes(fd, parent, name, path, e);
  set_acls(fd, parent, name, path, e);
  struct timespec time = {archive_entry_mtime(e), archive_entry_mtime_nsec(e)},
                  times[2] = {time, time};
  if (type == AE_IFDIR)
    times_add(fd, path, times);
  else if (fd >= 0 ? futimens(fd, times) : utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW))
    fail_call("utimensat", path);
}
