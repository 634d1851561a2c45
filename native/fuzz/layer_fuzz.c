/* libFuzzer target of runt-layer's unpacking: two layers, one over the other.
 *
 * The first byte says how they are compressed, and whether the result is damaged; the other bytes
 * choose entries, names and records, or are the blob itself. There is no chroot(2) here: openat2(2)
 * alone keeps the names in the root. Beside the root is a directory that must not change, and all
 * else is read-only: EROFS and EXDEV are escapes. What is unpacked has no attributes and no devices
 * of overlayfs. */
#define NAME "layer_fuzz"
/* For what they keep between two inputs. */
#include "../layer/stream.c"
#include "../layer/written.c"
#include "fuzz.h"
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/xattr.h>

/* Below the directory in the environment, which must be absolute. */
#define OUTPUT "RUNT_FUZZ_OUT"
enum { TOP_FD = 8, HOME_FD = 9, FIRST_FREE_FD = 10, BLOB_MAX = 1 << 20, PATH_FDS = 64 };

struct layer layer;
static unsigned long inputs, entries_made, whole, refused, warned;
static char top[PATH_MAX], outside[PATH_MAX + 16];
static struct stat outside_before[2];
static jmp_buf end_of_layer;
static struct archive *current;

static void print_counts(void) {
  fprintf(stderr,
          "layer_fuzz: %lu inputs, %lu whole layers, %lu refused layers, %lu written entries, %lu "
          "warnings\n",
          inputs, whole, refused, entries_made, warned);
}

_Noreturn void fail(const char *kind, int error, const char *path, const char *detail) {
  (void)path, (void)detail;
  demand(error != EROFS && error != EXDEV, "a name led out of the root");
  demand(*kind != 0, "an error without its kind");
  longjmp(end_of_layer, 1);
}

void fail_call(const char *call, const char *path) {
  demand(errno != EBADF && errno != EFAULT, call);
  fail(LAYER_ERROR_CALL, errno, path, call);
}

void warn(const char *kind, int error, const char *path, const char *detail) {
  demand(kind && path && detail, "a warning lacks a part");
  demand(error != EROFS && error != EXDEV, "a name led out of the root");
  warned++;
}

/* The archive is freed after a failure too: the program ends then. */
struct archive *__real_archive_read_new(void);
struct archive *__wrap_archive_read_new(void);
struct archive *__wrap_archive_read_new(void) {
  return current = __real_archive_read_new();
}

#ifdef PLANT_CRASH
/* Paths are not kept in the root. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
  if (number == SYS_openat2)
    ((struct open_how *)c)->resolve = 0;
  return __real_syscall(number, a, b, c, d, e, f);
}
#endif

static void must(bool holds, const char *what) {
  if (holds)
    return;
  perror(what);
  exit(1);
}

static void set_writable(const char *path) {
  struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
  must(syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attr, sizeof attr) == 0, path);
}

static void keep(int fd, int as) {
  must(fd >= 0 && (fd == as || (dup2(fd, as) == as && close(fd) == 0)), "dup2");
}

/* A mount namespace in which only a tmpfs and the fuzzer's output can be written. */
static void enter(void) {
  const char *output = getenv(OUTPUT);
  must(output != NULL, OUTPUT);
  snprintf(top, sizeof top, "%s/layer-root", output);
  snprintf(outside, sizeof outside, "%s/outside", top);
  must(mkdir(top, 0700) == 0 || errno == EEXIST, top);
  must(unshare(CLONE_NEWNS) == 0, "unshare");
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount");
  must(mount(output, output, NULL, MS_BIND, NULL) == 0, output);
  must(mount("tmpfs", top, "tmpfs", 0, "size=64m,nr_inodes=20000") == 0, top);
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
  must(syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof attr) == 0, "/");
  set_writable(output);
  set_writable(top);
  keep(open(top, O_RDONLY | O_DIRECTORY), TOP_FD);
  keep(open(".", O_RDONLY | O_DIRECTORY), HOME_FD);
  must(mkdirat(TOP_FD, "outside", 0755) == 0, outside);
  int secret = openat(TOP_FD, "outside/secret", O_WRONLY | O_CREAT | O_EXCL, 0600);
  must(secret >= 0 && write(secret, "secret", 6) == 6 && close(secret) == 0, "secret");
  must(fstatat(TOP_FD, "outside", &outside_before[0], 0) == 0 &&
           fstatat(TOP_FD, "outside/secret", &outside_before[1], 0) == 0,
       "stat");
}

/* ── from bytes to a blob ── */

static const uint8_t *input;
static size_t input_left;
static struct {
  uint8_t bytes[BLOB_MAX];
  size_t size;
} plain, blob;

static unsigned take(void) {
  if (input_left == 0)
    return 0;
  input_left--;
  return *input++;
}

static void add(const void *bytes, size_t size) {
  if (size > BLOB_MAX - plain.size)
    size = BLOB_MAX - plain.size;
  if (bytes)
    memcpy(plain.bytes + plain.size, bytes, size);
  else
    memset(plain.bytes + plain.size, 0, size);
  plain.size += size;
}

static void add_padding(void) { add(NULL, (512 - plain.size % 512) % 512); }

/* A name of one to four components. */
static void take_name(char *out, size_t size) {
  static const char *const parts[] = {"a", "b",     "s",   "d/e",  "..", "../outside",  "",
                                      ".", ".wh",   ".wh", ".wh.", "f",  ".wh..wh..op", "outside",
                                      "l", "secret"};
  unsigned n = 1 + take() % 4;
  size_t length = 0;
  out[0] = 0;
  for (unsigned i = 0; i < n; i++) {
    unsigned b = take();
    const char *part = b == 0xff ? outside : parts[b % 16];
    length += (size_t)snprintf(out + length, size - length, "%s%s", i ? "/" : "", part);
    /* A whiteout's name goes on. */
    if (b % 16 == 8 || b % 16 == 9)
      length += (size_t)snprintf(out + length, size - length, ".%s", parts[take() % 16]);
    if (b % 16 == 12)
      length += (size_t)snprintf(out + length, size - length, "q");
    if (length >= size)
      length = size - 1;
  }
}

static size_t take_value(char *out, size_t size) {
  static const char *const values[] = {
      "1",
      "0",
      "-1",
      "4294967295",
      "user::rw-,user:7:r--,user:lisa:rwx,group::r--,mask::rwx,other::r--",
      "user::rwx,user:7:r--,group::r--,group:9:-w-,mask::rwx,other::r--",
      "owner@:rwxp::allow",
      "1099511627776"};
  unsigned b = take();
  if (b % 4 == 0)
    return (size_t)snprintf(out, size, "%s", values[take() % 8]);
  if (b % 4 == 1) {
    take_name(out, size);
    return strlen(out);
  }
  size_t n = b % 32 < input_left ? b % 32 : input_left;
  memcpy(out, input, n);
  input += n;
  input_left -= n;
  return n;
}

static void add_header(const char *name, char type, const char *link, uint64_t size) {
  static const uint64_t ids[] = {0, 1, 1000, 65535, 2097151};
  uint8_t block[512] = {0};
  char *text = (char *)block;
  memcpy(text, name, strnlen(name, 100));
  snprintf(text + 100, 8, "%07o", take() << 4 & 07777);
  snprintf(text + 108, 8, "%07o", (unsigned)ids[take() % 5]);
  snprintf(text + 116, 8, "%07o", (unsigned)ids[take() % 5]);
  snprintf(text + 124, 12, "%011llo", (unsigned long long)size);
  snprintf(text + 136, 12, "%011o", take());
  memset(text + 148, ' ', 8);
  text[156] = type;
  memcpy(text + 157, link, strnlen(link, 100));
  memcpy(text + 257,
         "ustar\0"
         "00",
         8);
  snprintf(text + 329, 8, "%07o", take() % 3);
  snprintf(text + 337, 8, "%07o", take() % 4);
  unsigned sum = 0;
  for (size_t i = 0; i < sizeof block; i++)
    sum += block[i];
  snprintf(text + 148, 8, "%06o", sum);
  add(block, sizeof block);
}

static void add_records(unsigned n) {
  static const char *const keys[] = {"path",
                                     "linkpath",
                                     "size",
                                     "mtime",
                                     "uid",
                                     "gid",
                                     "SCHILY.xattr.user.x",
                                     "SCHILY.xattr.trusted.overlay.opaque",
                                     "SCHILY.xattr.user.overlay.redirect",
                                     "SCHILY.xattr.security.capability",
                                     "SCHILY.acl.access",
                                     "SCHILY.acl.default",
                                     "SCHILY.acl.ace",
                                     "SCHILY.xattr.system.posix_acl_access",
                                     "GNU.sparse.realsize",
                                     "LIBARCHIVE.xattr.user.y"};
  char records[4096], value[1024];
  size_t length = 0;
  for (unsigned i = 0; i < n; i++) {
    const char *key = keys[take() % 16];
    size_t size = take_value(value, sizeof value), rest = strlen(key) + size + 3, digits = 1;
    for (size_t all = rest + digits; all >= 10; all /= 10)
      digits++;
    length +=
        (size_t)snprintf(records + length, sizeof records - length, "%zu %s=", rest + digits, key);
    memcpy(records + length, value, size);
    length += size;
    records[length++] = '\n';
    if (length > sizeof records / 2)
      break;
  }
  add_header("pax", 'x', "", length);
  add(records, length);
  add_padding();
}

/* False at the end of a layer. */
static bool add_entry(void) {
  static const char types[] = "0000001122234556xgLKS7D";
  unsigned b = take();
  if (b % 32 >= sizeof types - 1)
    return false;
  char type = types[b % 32], name[2 * PATH_MAX], link[2 * PATH_MAX];
  unsigned flags = take();
  take_name(name, sizeof name);
  take_name(link, sizeof link);
  if (type == '2' && flags & 64)
    snprintf(link, sizeof link, "%s", outside);
  if (flags % 4 == 0)
    add_records(1 + flags / 4 % 3);
  size_t size = type == '0' || strchr("xgLKS7", type) ? take() : 0;
  add_header(name, type, type == '1' || type == '2' ? link : "", flags & 128 ? take() << 4 : size);
  uint8_t fill[256];
  memset(fill, (int)take(), sizeof fill);
  add(fill, size);
  add_padding();
  return input_left > 0;
}

static void compress_blob(unsigned kind) {
  if (kind == 1) {
    uLongf size = BLOB_MAX;
    z_stream z = {.next_in = plain.bytes,
                  .avail_in = (uInt)plain.size,
                  .next_out = blob.bytes,
                  .avail_out = (uInt)size};
    must(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "deflate");
    deflate(&z, Z_FINISH);
    blob.size = z.total_out;
    deflateEnd(&z);
  } else if (kind == 2) {
    size_t n = ZSTD_compress(blob.bytes, BLOB_MAX, plain.bytes, plain.size, 1);
    blob.size = ZSTD_isError(n) ? 0 : n;
  } else {
    memcpy(blob.bytes, plain.bytes, plain.size);
    blob.size = plain.size;
  }
}

/* The next layer; false at the end of the input. */
static bool make_blob(void) {
  if (input_left == 0)
    return false;
  unsigned how = take();
  plain.size = 0;
  if (how % 8 == 7) {
    add(input, input_left);
    input_left = 0;
  } else {
    while (add_entry())
      ;
    if (how & 64)
      add(NULL, 1024);
  }
  compress_blob(how % 4);
  if (how & 8 && blob.size > 0)
    blob.bytes[(take() << 8 | take()) % blob.size] ^= (uint8_t)(1 + take() % 255);
  if (how & 16 && blob.size > 0)
    blob.size -= (take() << 4 | take()) % blob.size;
  return true;
}

/* ── one layer ── */

static int check_file(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)type, (void)ftw;
  char names[4096];
  entries_made++;
  demand(!S_ISCHR(st->st_mode) || st->st_rdev != 0, "a whiteout of overlayfs");
  ssize_t n = llistxattr(path, names, sizeof names);
  for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1)
    demand(!strstr(names + at, "overlay."), "an attribute of overlayfs");
  return 0;
}

static void check_outside(void) {
  static const char *const paths[] = {"outside", "outside/secret"};
  for (int i = 0; i < 2; i++) {
    struct stat st;
    const struct stat *old = &outside_before[i];
    demand(fstatat(TOP_FD, paths[i], &st, AT_SYMLINK_NOFOLLOW) == 0, "a file outside is gone");
    demand(st.st_ino == old->st_ino && st.st_nlink == old->st_nlink &&
               st.st_ctim.tv_sec == old->st_ctim.tv_sec &&
               st.st_ctim.tv_nsec == old->st_ctim.tv_nsec,
           "a file outside has changed");
  }
}

static void apply(void) {
  int fd = memfd_create("blob", MFD_CLOEXEC);
  must(fd >= 0 && pwrite(fd, blob.bytes, blob.size, 0) == (ssize_t)blob.size, "memfd");
  keep(fd, BLOB_FD);
  memset(&stream, 0, sizeof stream);
  layer = (struct layer){.is_layer = true, .bytes_left = 1 << 22, .entries_left = 200};
  if (setjmp(end_of_layer) == 0) {
    unpack_stream(blob.size, "", "");
    whole++;
  } else {
    refused++;
  }
  if (current)
    archive_read_free(current);
  current = NULL;
  if (stream.kind == GZIP)
    inflateEnd(&stream.gzip);
  if (stream.zstd)
    ZSTD_freeDStream(stream.zstd);
  tdestroy(entries, free);
  entries = NULL;
  while (times) {
    struct time_of *next_time = times->next;
    free(times);
    times = next_time;
  }
  must(syscall(SYS_close_range, FIRST_FREE_FD, ~0U, 0) == 0, "close_range");
  must(fchdir(HOME_FD) == 0, "fchdir");
  check_outside();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!top[0])
    enter();
  inputs++;
  input = data;
  input_left = size;
  must(mkdirat(TOP_FD, "root", 0755) == 0, "root");
  keep(openat(TOP_FD, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ROOT_FD);
  for (int i = 0; i < 3 && make_blob(); i++)
    apply();
  char path[PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/root", top);
  demand(nftw(path, check_file, PATH_FDS, FTW_PHYS) == 0 || errno == ENAMETOOLONG, "the walk");
  demand(runt_removeTree(TOP_FD, "root") == 0, "the root cannot be removed");
  return 0;
}
