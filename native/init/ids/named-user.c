/* A user by name, from the container's own /etc/passwd and /etc/group (passwd(5), group(5)). They
 * are read here, inside, so that the runtime never waits for a file of the container. */
#include "../init.h"

enum { FIELDS_MAX = 7, FILE_MAX = 1 << 20, GROUPS_MAX = 256 };

/* Reads a whole regular file of the container, and adds a NUL; NULL with errno. */
static char *read_database(const char *path) {
  struct stat st;
  int fd CLEANUP_CLOSE = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 || fstat(fd, &st))
    return NULL;
  if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
    errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
    return NULL;
  }
  char *text = allocate(FILE_MAX + 1);
  size_t length = 0;
  ssize_t n = 1;
  while (text && n > 0 && length < FILE_MAX) {
    n = read(fd, text + length, FILE_MAX - length);
    if (n < 0)
      return NULL;
    length += (size_t)n;
  }
  if (text)
    text[length] = 0;
  return text;
}

/* Cuts the next line off *rest into its fields. Returns how many, 0 at the end. */
static int next_line(char **rest, char *field[FIELDS_MAX]) {
  char *line = strsep(rest, "\n");
  int n = 0;
  while (line && n < FIELDS_MAX && (field[n] = strsep(&line, ":")) != NULL)
    n++;
  return n;
}

/* Parses an id. One out of range is refused: truncated to 32 bits it could be root's. */
static int id_of(const char *text, uint64_t *id) {
  return text_number(text, strlen(text), ID_MAX, id);
}

static int find_user(const char *name, uint64_t *uid, uint64_t *gid) {
  char *rest = read_database("/etc/passwd"), *field[FIELDS_MAX];
  if (!rest)
    return fail("open", "/etc/passwd");
  while (rest) {
    int n = next_line(&rest, field);
    if (n < 4 || strcmp(field[0], name) != 0)
      continue;
    if (id_of(field[2], uid) || id_of(field[3], gid))
      return fail_with(ERANGE, "passwd", name);
    return 0;
  }
  return fail_with(ENOENT, "passwd", name);
}

static int find_group(const char *name, uint64_t *gid) {
  char *rest = read_database("/etc/group"), *field[FIELDS_MAX];
  if (!rest)
    return fail("open", "/etc/group");
  while (rest) {
    int n = next_line(&rest, field);
    if (n < 3 || strcmp(field[0], name) != 0)
      continue;
    return id_of(field[2], gid) ? fail_with(ERANGE, "group", name) : 0;
  }
  return fail_with(ENOENT, "group", name);
}

/* Adds the groups that list the user as a member. A container without /etc/group has none. */
static int add_memberships(const char *user, gid_t *list, size_t *count) {
  char *rest = read_database("/etc/group"), *field[FIELDS_MAX];
  while (rest) {
    if (next_line(&rest, field) < 4)
      continue;
    uint64_t gid;
    char *members = field[3], *member;
    while (members && (member = strsep(&members, ",")) != NULL) {
      if (strcmp(member, user) != 0)
        continue;
      if (id_of(field[2], &gid))
        return fail_with(ERANGE, "group", field[0]);
      if (*count == GROUPS_MAX)
        return fail_with(E2BIG, "group", user);
      list[(*count)++] = (gid_t)gid;
      break;
    }
  }
  return 0;
}

/* Safe: digits are always a number, whatever the files contain (CVE-2026-30892, CVE-2024-40635);
 * numbers of the files are checked like those of the config. become_user then sets the ids, with
 * its order and its checks. */
int op_named_user(const struct op *op) {
  const struct value *v = op->v, *asked = &v[NAMED_USER_GROUPS];
  const char *user = v[NAMED_USER_USER].str, *group = v[NAMED_USER_GROUP].str;
  int has_group = v[NAMED_USER_GROUP].present;
  uint64_t uid = 0, gid = v[NAMED_USER_GID].num;
  gid_t found[GROUPS_MAX];
  size_t count = 0;
  int named = user[strspn(user, "0123456789")] != 0;
  if (!named) {
    if (!*user || id_of(user, &uid))
      return fail_with(EINVAL, "setresuid", user);
  } else if (find_user(user, &uid, &gid))
    return -1;
  if (has_group && group[strspn(group, "0123456789")] == 0) {
    if (id_of(group, &gid))
      return fail_with(EINVAL, "setresgid", group);
  } else if (has_group && find_group(group, &gid))
    return -1;
  if (named && !has_group && add_memberships(user, found, &count))
    return -1;
  gid_t *groups = group_list(asked, count);
  if (!groups)
    return -1;
  memcpy(groups + asked->num, found, count * sizeof *found);
  if ((uid || init.user_namespace) && give_stdio((uid_t)uid, v[NAMED_USER_PIPES].on))
    return -1;
  init.named_uid = uid;
  return become_user(&(struct user){.uid = uid,
                                    .gid = gid,
                                    .groups = groups,
                                    .group_count = asked->num + count,
                                    .set_groups = v[NAMED_USER_SET_GROUPS].on,
                                    .groups_optional = v[NAMED_USER_GROUPS_OPTIONAL].on,
                                    .umask = &v[NAMED_USER_UMASK]});
}
