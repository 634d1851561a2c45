/* libFuzzer target of the parser of /etc/passwd and /etc/group (operation namedUser): the ids are
 * those that a second parser of this file finds, or both refuse with the same error. The first byte
 * chooses the case; the byte 0xff separates the two files. */
#define NAME "users_fuzz"
#include "../init/init.h"
#include "fuzz.h"
#include <sys/mman.h>

static const char user_name[] = "web", group_name[] = "staff";
static unsigned long inputs, users, refused, memberships;

static void print_counts(void) {
  fprintf(stderr, "users_fuzz: %lu inputs, %lu users, %lu refused, %lu memberships\n", inputs,
          users, refused, memberships);
}

struct file {
  const uint8_t *data;
  size_t size;
};
static struct file passwd, group;

static int open_database(const char *path, int flags) {
  (void)flags;
  const struct file *file = strcmp(path, "/etc/passwd") == 0 ? &passwd : &group;
  int fd = memfd_create("database", MFD_CLOEXEC);
  demand(fd >= 0 && write(fd, file->data, file->size) == (ssize_t)file->size, "memfd_create");
  lseek(fd, 0, SEEK_SET);
  return fd;
}
#define sys_open open_database
#include "../init/ids/named-user.c"
#define allocate unused_allocate
#include "../init/text.c"
#undef allocate

/* What named-user.c uses of runt-init. */
struct init init;
static void *held[8];
static size_t held_count;
static int error;
static struct user result;

void *allocate(size_t size) {
  demand(held_count < sizeof held / sizeof *held, "too many blocks");
  return held[held_count++] = malloc(size ? size : 1);
}
int fail(const char *syscall, const char *detail) { return fail_with(errno, syscall, detail); }
int fail_with(int number, const char *syscall, const char *detail) {
  (void)syscall, (void)detail;
  error = number;
  return -1;
}
gid_t *group_list(const struct value *list, size_t more) {
  return allocate((list->num + more) * sizeof(gid_t));
}
int give_stdio(uid_t uid, int pipes) { return (void)uid, (void)pipes, 0; }
int become_user(const struct user *user) {
  result = *user;
  return 0;
}
/* The second parser, which copies nothing: field n of a line; NULL if it has fewer. */
static const char *field_of(const char *line, const char *end, int n, size_t *length) {
  for (; n > 0; n--) {
    line = memchr(line, ':', (size_t)(end - line));
    if (!line)
      return NULL;
    line++;
  }
  const char *colon = memchr(line, ':', (size_t)(end - line));
  *length = (size_t)((colon ? colon : end) - line);
  return line;
}

/* A decimal of at most 20 digits. */
static int number_of(const char *s, size_t length, uint64_t *number) {
  *number = 0;
  for (size_t i = 0; i < length; i++) {
    if (s[i] < '0' || s[i] > '9' || *number > ID_MAX)
      return -1;
    *number = *number * 10 + (uint64_t)(s[i] - '0');
  }
  return length && length <= 20 && *number <= ID_MAX ? 0 : -1;
}

static int is_field(const char *line, const char *end, int n, const char *text) {
  size_t length;
  const char *field = field_of(line, end, n, &length);
  return field && length == strlen(text) && memcmp(field, text, length) == 0;
}

static int id_field(const char *line, const char *end, int n, uint64_t *id) {
  size_t length = 0;
  const char *field = field_of(line, end, n, &length);
  return number_of(field, length, id);
}

static int is_member(const char *line, const char *end) {
  size_t length = 0;
  const char *list = field_of(line, end, 3, &length), *last = list + length;
  for (const char *at = list;;) {
    const char *comma = memchr(at, ',', (size_t)(last - at)), *stop = comma ? comma : last;
    if ((size_t)(stop - at) == strlen(user_name) && !memcmp(at, user_name, strlen(user_name)))
      return 1;
    if (!comma)
      return 0;
    at = comma + 1;
  }
}

/* The next line of a file, which a NUL ends. 0 at the end. */
static int line_of(const struct file *file, size_t *at, const char **line, const char **end) {
  size_t size = strnlen((const char *)file->data, file->size);
  if (*at > size)
    return 0;
  *line = (const char *)file->data + *at;
  *end = memchr(*line, '\n', size - *at);
  if (!*end)
    *end = (const char *)file->data + size;
  *at = (size_t)(*end - (const char *)file->data) + 1;
  return 1;
}

struct expected {
  int error;
  uint64_t uid, gid;
  size_t count;
  gid_t groups[GROUPS_MAX];
};

static struct expected expect(int is_named, int has_group, uint64_t gid) {
  struct expected e = {.uid = 7, .gid = gid};
  const char *line, *end;
  size_t length;
  if (is_named) {
    e.error = ENOENT;
    for (size_t at = 0; e.error == ENOENT && line_of(&passwd, &at, &line, &end);)
      if (field_of(line, end, 3, &length) && is_field(line, end, 0, user_name))
        e.error = id_field(line, end, 2, &e.uid) || id_field(line, end, 3, &e.gid) ? ERANGE : 0;
  }
  if (e.error)
    return e;
  if (has_group) {
    e.error = ENOENT;
    for (size_t at = 0; e.error == ENOENT && line_of(&group, &at, &line, &end);)
      if (field_of(line, end, 2, &length) && is_field(line, end, 0, group_name))
        e.error = id_field(line, end, 2, &e.gid) ? ERANGE : 0;
    return e;
  }
  for (size_t at = 0; is_named && line_of(&group, &at, &line, &end);) {
    uint64_t id;
    if (!field_of(line, end, 3, &length) || !is_member(line, end))
      continue;
    e.error = id_field(line, end, 2, &id) ? ERANGE : e.count == GROUPS_MAX ? E2BIG : 0;
    if (e.error)
      return e;
    e.groups[e.count++] = (gid_t)id;
  }
  return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  inputs++;
  if (size < 1)
    return 0;
  int is_named = data[0] & 1, has_group = data[0] >> 1 & 1;
  const uint8_t *rest = data + 1, *cut = memchr(rest, 0xff, size - 1);
  passwd = (struct file){rest, cut ? (size_t)(cut - rest) : size - 1};
  group = (struct file){cut ? cut + 1 : data + size, cut ? (size_t)(data + size - cut) - 1 : 0};
  struct op op = {.v = {[NAMED_USER_USER] = {.str = is_named ? user_name : "7"},
                        [NAMED_USER_GROUP] = {.str = group_name, .present = has_group},
                        [NAMED_USER_GID] = {.num = 99}}};
  struct expected e = expect(is_named, has_group, 99);
  error = 0;
  result = (struct user){0};
  int r = op_named_user(&op);
  demand((r != 0) == (e.error != 0), "one of two parsers refuses the user");
  demand(error == e.error, "another error");
  if (r == 0) {
    users++;
    memberships += e.count;
    demand(result.uid == e.uid && result.gid == e.gid, "other ids");
    demand(result.group_count == e.count, "another number of groups");
    demand(!e.count || !memcmp(result.groups, e.groups, e.count * sizeof *e.groups),
           "other groups");
#ifdef PLANT_CRASH
    demand(e.count < 2, "planted");
#endif
  } else
    refused++;
  while (held_count)
    free(held[--held_count]);
  return 0;
}
