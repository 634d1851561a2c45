/* The mount of a descriptor, and the mounts of this namespace in /proc/PID/mountinfo (proc(5)). */
#include "../init.h"
#include <sys/sysmacros.h>

/* The mount id in fdinfo: for kernels before 5.8, and where a filter forbids statx(2). */
static int64_t listed_mount_id(int fd) {
  char path[32] = "fdinfo/", text[512];
  struct text t = {path, sizeof path, strlen(path), 0};
  text_add_number(&t, (uint64_t)fd);
  int info CLEANUP_CLOSE = proc_open_self(path, O_RDONLY);
  ssize_t n = info < 0 ? -1 : read(info, text, sizeof text - 1);
  if (n < 0)
    return -1;
  text[n] = 0;
  const char *id = strstr(text, "mnt_id:\t");
  uint64_t number;
  if (!id || text_number(id + 8, strcspn(id + 8, "\n"), INT32_MAX, &number)) {
    errno = ENOENT;
    return -1;
  }
  return (int64_t)number;
}

int identify(int fd, struct identity *of) {
  const unsigned mask = STATX_TYPE | STATX_INO | STATX_MNT_ID;
  struct kernel_statx now;
  if (!sys_statx(fd, mask, &now) && (now.stx_mask & mask) == mask) {
    *of = (struct identity){.mount = (int64_t)now.stx_mnt_id,
                            .device = makedev(now.stx_dev_major, now.stx_dev_minor),
                            .inode = now.stx_ino,
                            .type = now.stx_mode & S_IFMT,
                            .is_root = now.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT
                                           ? (now.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0
                                           : -1};
    return 0;
  }
  struct stat st;
  int64_t id = fstat(fd, &st) ? -1 : listed_mount_id(fd);
  if (id < 0)
    return -1;
  *of = (struct identity){.mount = id,
                          .device = st.st_dev,
                          .inode = st.st_ino,
                          .type = st.st_mode & S_IFMT,
                          .is_root = -1};
  return 0;
}

int same_root(const struct identity *now, const struct identity *was) {
  return now->mount == was->mount &&
         (now->is_root < 0 ? now->device == was->device && now->inode == was->inode : now->is_root);
}

int64_t mount_id(int fd) {
  struct identity of;
  return identify(fd, &of) ? -1 : of.mount;
}

/* fs.mount-max, 100,000 by default, times the size of a line. */
enum { MOUNTINFO_MAX = 16 << 20 };

char *mountinfo_read(void) {
  int fd CLEANUP_CLOSE = proc_open_self("mountinfo", O_RDONLY);
  size_t size = 0;
  char *all = fd < 0 ? NULL : allocate(MOUNTINFO_MAX);
  if (!all) {
    fail(fd < 0 ? "open" : "mmap", "/proc/self/mountinfo");
    return NULL;
  }
  for (ssize_t n; (n = read(fd, all + size, MOUNTINFO_MAX - 1 - size)) != 0; size += (size_t)n)
    if (n < 0 || size + (size_t)n >= MOUNTINFO_MAX - 1) {
      fail_with(n < 0 ? errno : E2BIG, "read", "/proc/self/mountinfo");
      return NULL;
    }
  all[size] = 0;
  return all;
}

/* The number at *at, up to a blank; -1 for anything else. */
static int64_t next_id(const char **at) {
  uint64_t number;
  size_t n = strcspn(*at, " \n");
  int broken = text_number(*at, n, INT32_MAX, &number);
  *at += n + ((*at)[n] == ' ');
  return broken ? -1 : (int64_t)number;
}

const char *mountinfo_next(const char *at, struct mountinfo *line) {
  const char *end = at + strcspn(at, "\n"), *type = strstr(at, " - ");
  if (at == end)
    return NULL;
  line->id = next_id(&at);
  line->parent = next_id(&at);
  for (int field = 0; field < 2; field++) /* the device, the root */
    at += strcspn(at, " \n") + (at[strcspn(at, " \n")] == ' ');
  line->target = at;
  line->target_length = strcspn(at, " \n");
  line->type = type && type < end ? type + 3 : end;
  return end + (*end == '\n');
}

int mountinfo_target(const struct mountinfo *line, char to[PATH_MAX]) {
  struct text t = text_in(to, PATH_MAX);
  for (const char *s = line->target, *end = s + line->target_length; s < end; s++) {
    if (s[0] == '\\' && end - s > 3) { /* a space is \\040 */
      text_add_char(&t, (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0')));
      s += 3;
    } else
      text_add_char(&t, *s);
  }
  return t.cut ? fail_with(ENAMETOOLONG, "read", "/proc/self/mountinfo") : 0;
}
