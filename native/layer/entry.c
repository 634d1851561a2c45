/* One entry of an archive. */
#include "layer.h"
#include <sys/sysmacros.h>

static void write_data(int fd, struct archive *a, int64_t size, const char *path) {
  const void *data;
  size_t length;
  int64_t at;
  uint64_t written = 0;
  int r;
  while ((r = archive_read_data_block(a, &data, &length, &at)) == ARCHIVE_OK)
    for (size_t done = 0; done < length;) {
      ssize_t n = RETRY(pwrite(fd, (const char *)data + done, length - done, at + (int64_t)done));
      if (n < 0)
        fail_call("pwrite", path);
      done += (size_t)n;
      written += (uint64_t)n;
    }
  if (r != ARCHIVE_EOF)
    stream_fail(LAYER_ERROR_ARCHIVE, path, archive_error_string(a));
  if (size < 0 || (uint64_t)size <= written)
    return;
  /* The holes of a sparse file are not in the stream. */
  uint64_t holes = (uint64_t)size - written;
  if (holes > layer.bytes_left)
    fail(LAYER_ERROR_BYTES, 0, path, NULL);
  layer.bytes_left -= holes;
  if (ftruncate(fd, size))
    fail_call("ftruncate", path);
}

static void make_file(int parent, const char *name, const char *path, struct archive *a,
                      struct archive_entry *e) {
  AUTO_CLOSE int fd =
      openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    fail_call("openat", path);
  write_data(fd, a, archive_entry_size(e), path);
  set_metadata(fd, parent, name, path, e);
}

static void make_directory(int parent, const char *name, const char *path,
                           struct archive_entry *e) {
  if (*name && mkdirat(parent, name, 0700) && errno != EEXIST)
    fail_call("mkdirat", path);
  AUTO_CLOSE int fd =
      openat(parent, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    fail_call("openat", path);
  set_metadata(fd, parent, name, path, e);
}

/* False if a device may not be made here. */
static bool make_node(int parent, const char *name, const char *path, struct archive_entry *e) {
  mode_t type = archive_entry_filetype(e);
  dev_t device = 0;
  if (type != AE_IFIFO) {
    unsigned major = (unsigned)archive_entry_rdevmajor(e),
             minor = (unsigned)archive_entry_rdevminor(e);
    device = makedev(major, minor);
    /* overlayfs takes it for a whiteout. */
    if (type == AE_IFCHR && device == 0)
      fail(LAYER_ERROR_DEVICE, 0, path, NULL);
  }
  if (mknodat(parent, name, type | 0600, device)) {
    if (errno != EPERM || type == AE_IFIFO)
      fail_call("mknodat", path);
    warn(LAYER_WARNING_DEVICE, errno, path, "");
    return false;
  }
  set_metadata(-1, parent, name, path, e);
  return true;
}

/* Links name to what another entry has made, a symlink itself and not what it leads to. False if
 * both are one name. */
static bool make_link(int parent, const char *name, const char *path, const char *target) {
  char clean[PATH_MAX];
  const char *old;
  clean_name(target, clean);
  AUTO_CLOSE int there = open_parent(clean, &old, false);
  struct stat a, b;
  if (there < 0 || fstat(there, &a) || fstat(parent, &b))
    fail(LAYER_ERROR_LINK, errno, path, target);
  if (a.st_ino == b.st_ino && strcmp(old, name) == 0)
    return false;
  remove_name(parent, name, path);
  if (!*old || linkat(there, old, parent, name, 0))
    fail(LAYER_ERROR_LINK, *old ? errno : EPERM, path, target);
  return true;
}

void unpack_entry(struct archive *a, struct archive_entry *e) {
  const char *raw = archive_entry_pathname(e), *link = archive_entry_hardlink(e), *name;
  mode_t type = archive_entry_filetype(e);
  char path[PATH_MAX];
  if (!raw)
    fail(LAYER_ERROR_ARCHIVE, 0, NULL, archive_error_string(a));
  clean_name(raw, path);
  if (layer.is_layer && whiteout(path))
    return;
  AUTO_CLOSE int parent = open_parent(path, &name, true);
  if (parent < 0)
    fail_call("openat2", raw);
  if (!*name && (link || type != AE_IFDIR))
    fail(LAYER_ERROR_TYPE, 0, raw, NULL);
  struct stat st;
  bool stays =
      !*name || (!link && type == AE_IFDIR &&
                 fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode));
  if (!stays && !link)
    remove_name(parent, name, raw);
  const char *target = archive_entry_symlink(e);
  if (link) {
    if (!make_link(parent, name, raw, link))
      return;
  } else if (type == AE_IFREG) {
    make_file(parent, name, raw, a, e);
  } else if (type == AE_IFDIR) {
    make_directory(parent, name, path, e);
  } else if (type == AE_IFLNK && target) {
    if (symlinkat(target, parent, name))
      fail_call("symlinkat", raw);
    set_metadata(-1, parent, name, raw, e);
  } else if (type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO) {
    if (!make_node(parent, name, raw, e))
      return;
  } else {
    fail(LAYER_ERROR_TYPE, 0, raw, NULL);
  }
  if (*name)
    written_add(parent, name);
}
