/* Path resolution in the container.
 *
 * It never leaves the root, whatever symlinks the root file system holds and whoever changes
 * them meanwhile (CVE-2019-18837, CVE-2021-30465, CVE-2024-45310, CVE-2026-41579). The result
 * is an O_PATH descriptor. Everything later works on that, so that nothing is left to be
 * swapped.
 *
 * A path below a mount of the plan starts at that mount's descriptor (mounts/mount-table.c):
 * another directory may be at the mount point by now. */
#include "../../core/time-limits.h"
#include "../init.h"

enum {
  LINKS_MAX = 40,
  /* Only directories of one file system on the way. */
  STRAIGHT = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
};

/* One lookup: what it searches for, and what it may make. */
struct aim {
  const char *path;
  int flags; /* of open(2), besides O_PATH */
  uint64_t restrictions;
  mode_t kind; /* type and mode of what it makes if missing; 0: it makes nothing */
  int shown;   /* as a process in the container sees it */
};

/* 0, or -1 with errno when the text was cut off. */
static int check_whole(const struct text *t) {
  if (!t->cut)
    return 0;
  errno = ENAMETOOLONG;
  return -1;
}

/* Joins the path before a symlink, its content and the path after it into out. 0, or -1 with
 * errno. */
static int expand(char out[PATH_MAX], const char *before, const char *link, const char *after) {
  struct text t = text_in(out, PATH_MAX);
  if (link[0] != '/') {
    text_add(&t, before);
    text_add_char(&t, '/');
  }
  text_add(&t, link);
  text_add_char(&t, '/');
  text_add(&t, after);
  return check_whole(&t);
}

/* Copies path into out. 0, or -1 with errno. */
static int copy_path(char out[PATH_MAX], const char *path) {
  struct text t = text_in(out, PATH_MAX);
  text_add(&t, path);
  return check_whole(&t);
}

/* Cuts the next component off *path into name. 1, or 0 at the end, or -1 with errno. */
static int next_component(const char **path, char name[NAME_MAX + 1]) {
  const char *p = *path;
  while (*p == '/')
    p++;
  size_t n = strcspn(p, "/");
  if (n > NAME_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, p, n);
  name[n] = 0;
  *path = p + n;
  return n > 0;
}

/* Adds one component to a path in a buffer of PATH_MAX. 0, or -1 with errno. */
static int add_component(char path[PATH_MAX], const char *name) {
  struct text t = {path, PATH_MAX, strlen(path), 0};
  text_add_char(&t, '/');
  text_add(&t, name);
  return check_whole(&t);
}

int clean_path(const char *path, char out[PATH_MAX]) {
  char name[NAME_MAX + 1];
  int up = 0, more;
  out[0] = 0;
  while ((more = next_component(&path, name)) > 0) {
    if (!strcmp(name, "."))
      continue;
    up |= !strcmp(name, "..");
    if (add_component(out, name))
      return -1;
  }
  return more < 0 ? -1 : !up;
}

/* Makes name in dir, as kind, and opens it without following a symlink. ELOOP when it is one. */
static int make_in(int dir, const char *name, mode_t kind) {
  if (S_ISDIR(kind)) {
    if (mkdirat(dir, name, kind & 07777) && errno != EEXIST)
      return -1;
  } else {
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, kind & 07777);
    if (fd >= 0)
      close(fd);
    else if (errno != EEXIST)
      return -1;
  }
  int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st)) {
    close_cleanup(&fd);
    return -1;
  }
  int error = S_ISLNK(st.st_mode)                    ? ELOOP
              : S_ISDIR(st.st_mode) == S_ISDIR(kind) ? 0
              : S_ISDIR(st.st_mode)                  ? EISDIR
                                                     : ENOTDIR;
  if (!error)
    return fd;
  close(fd);
  errno = error;
  return -1;
}

/* Whether a symlink of procfs is a magic link (/proc/PID/root). Without openat2 no
 * link is taken for magic. */
static int is_magic(int link, int dir, const char *name) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  if (!is_procfs(link))
    return 0;
  int fd CLEANUP_CLOSE = sys_openat2(dir, name, &how);
  return fd < 0 && errno == ELOOP;
}

/* A walk in progress. */
struct walk {
  char pending[PATH_MAX]; /* the path so far, symlinks expanded */
  const char *rest;       /* the part of it that is not walked yet */
  char *found;            /* the path that was walked */
  int dir;                /* its descriptor */
  struct identity at;     /* its identity */
  int links, made;
};

static int begin(struct walk *w) {
  close_cleanup(&w->dir);
  w->found[0] = 0;
  w->rest = w->pending;
  w->dir = openat(init.root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return w->dir < 0 || identify(w->dir, &w->at) ? -1 : 0;
}

/* Walks the expanded path again from the root. */
static int restart(struct walk *w, const char *before, const char *link) {
  char again[PATH_MAX];
  if (expand(again, before, link, w->rest))
    return -1;
  memcpy(w->pending, again, sizeof w->pending);
  return begin(w);
}

static int go_up(struct walk *w) {
  if (w->made) { /* above a missing directory: no such path */
    errno = ENOENT;
    return -1;
  }
  char *slash = strrchr(w->found, '/');
  if (slash)
    *slash = 0;
  char before[PATH_MAX];
  return copy_path(before, w->found) || restart(w, "", before[0] ? before : "/") ? -1 : 0;
}

static int follow(struct walk *w, int link, const char *name, const struct aim *aim) {
  char content[PATH_MAX], before[PATH_MAX];
  ssize_t n = readlinkat(link, "", content, sizeof content - 1);
  if (n < 0)
    return -1;
  content[n] = 0;
  if (aim->restrictions & RESOLVE_NO_SYMLINKS || ++w->links > LINKS_MAX ||
      is_magic(link, w->dir, name)) {
    errno = ELOOP;
    return -1;
  }
  return copy_path(before, w->found) || restart(w, before, content) ? -1 : 0;
}

/* Walks one component. 0, or -1 with errno. */
static int step(struct walk *w, const char *name, const struct aim *aim) {
  char path[PATH_MAX];
  if (!strcmp(name, "."))
    return 0;
  if (!strcmp(name, ".."))
    return go_up(w);
  if (copy_path(path, w->found) || add_component(path, name))
    return -1;
  int last = w->rest[strspn(w->rest, "/")] == 0;
  const struct made *m = aim->shown ? NULL : made_on(path);
  int next CLEANUP_CLOSE = m ? made_open(m) : openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0 && errno == ENOENT && aim->kind && !m) {
    next = make_in(w->dir, name, last ? aim->kind : S_IFDIR | 0755);
    w->made = 1;
  }
  struct identity there;
  if (next < 0 || identify(next, &there))
    return -1;
  if (S_ISLNK(there.type) && !m && !(last && aim->flags & O_NOFOLLOW))
    return follow(w, next, name, aim);
  /* A mount of the plan, on another path than the plan's. */
  const struct made *strayed =
      m || aim->shown || there.mount == w->at.mount ? NULL : made_by_id(there.mount);
  if (strayed && strcmp(made_path(strayed), path))
    return mount_moved(strayed);
  close_cleanup(&w->dir);
  w->dir = next;
  next = -1;
  w->at = there;
  return copy_path(w->found, m ? made_path(m) : path);
}

/* Opens one component at a time with O_NOFOLLOW, and expands symlinks and `..` as text, so that no
 * descriptor above the root is ever opened. */
static int walk(const struct aim *aim, int *existed, char found[PATH_MAX]) {
  struct walk w = {.found = found, .dir = -1};
  char name[NAME_MAX + 1];
  int more = -1;
  if (!copy_path(w.pending, aim->path) && !begin(&w))
    while ((more = next_component(&w.rest, name)) > 0 && !step(&w, name, aim))
      ;
  *existed = !w.made;
  if (more == 0 && aim->flags & O_DIRECTORY && !S_ISDIR(w.at.type)) {
    errno = ENOTDIR;
    more = -1;
  }
  if (more == 0)
    return w.dir;
  close_cleanup(&w.dir);
  return -1;
}

/* Opens a clean path in one system call, from the mount that holds it. EXDEV or ELOOP when the
 * path has more than directories on the way. */
static int straight(const char *path, int flags, char found[PATH_MAX]) {
  struct open_how how = {.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags), .resolve = STRAIGHT};
  const char *rest;
  const struct made *m = made_above(path, &rest);
  if (!m)
    return copy_path(found, path) ? -1 : sys_openat2(init.root, *path ? path + 1 : ".", &how);
  if (copy_path(found, made_path(m)) || (*rest && add_component(found, rest)))
    return -1;
  int made_fd = made_descriptor(m),
      opened CLEANUP_CLOSE = *rest && made_fd >= 0 ? -1 : made_open(m);
  if (*rest)
    return made_fd < 0 && opened < 0 ? -1 : sys_openat2(made_fd < 0 ? opened : made_fd, rest, &how);
  struct stat st;
  if (opened < 0 || (flags & O_DIRECTORY && fstat(opened, &st)))
    return -1;
  if (flags & O_DIRECTORY && !S_ISDIR(st.st_mode)) {
    errno = ENOTDIR;
    return -1;
  }
  int fd = opened;
  opened = -1;
  return fd;
}

/* Whether openat2 did not decide about the path: the kernel has none (ENOSYS), seccomp profiles of
 * older engines forbid it (EPERM), or it met what it may not cross. */
static int undecided(int error) {
  return error == ENOSYS || error == EPERM || error == EXDEV || error == ELOOP || error == EAGAIN ||
         error == EINTR;
}

/* Makes the last component of a clean path, if only that is missing. */
static int make_last(const char *path, mode_t kind, char found[PATH_MAX]) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  if (!slash)
    return -1;
  memcpy(directory, path, (size_t)(slash - path));
  directory[slash - path] = 0;
  int dir CLEANUP_CLOSE = straight(directory, O_DIRECTORY, found);
  return dir < 0 || add_component(found, slash + 1) ? -1 : make_in(dir, slash + 1, kind);
}

/* The plan's name of a mount may lead through a symlink, too. */
static int refuse_symlinks(const struct aim *aim, int fd, const char *clean, const char *found) {
  if (fd < 0 || !(aim->restrictions & RESOLVE_NO_SYMLINKS) || !strcmp(clean, found))
    return fd;
  close(fd);
  errno = ELOOP;
  return -1;
}

#ifdef RUNT_WEAK_RESOLVE
/* Only for the runt-init that test/security attacks: makes and opens what a string names, and
 * follows links. */
static int find_by_string(const struct aim *aim, const char *clean, char found[PATH_MAX]) {
  char directory[PATH_MAX];
  for (const char *p = clean + 1; aim->kind && (p = strchr(p, '/')); p++) {
    memcpy(directory, clean, (size_t)(p - clean));
    directory[p - clean] = 0;
    if (mkdirat(init.root, directory + 1, 0755) && errno != EEXIST)
      return -1;
  }
  const char *path = *clean ? clean + 1 : ".";
  if (S_ISDIR(aim->kind) && mkdirat(init.root, path, 0755) && errno != EEXIST)
    return -1;
  if (S_ISREG(aim->kind))
    close(openat(init.root, path, O_CREAT | O_RDONLY | O_CLOEXEC, 0644));
  return copy_path(found, clean) ? -1 : openat(init.root, path, O_PATH | O_CLOEXEC | aim->flags);
}
#endif

static int find(const struct aim *aim, int *existed, char found[PATH_MAX]) {
  char clean[PATH_MAX], unasked[PATH_MAX];
  if (!found)
    found = unasked;
  *existed = 1;
  int plain = clean_path(aim->path, clean);
#ifdef RUNT_WEAK_RESOLVE
  return find_by_string(aim, clean, found);
#endif
  if (plain < 0)
    return -1;
  if (!plain)
    return walk(aim, existed, found);
  int fd = straight(clean, aim->flags, found);
  if (fd < 0 && errno == ENOENT && aim->kind) {
    *existed = 0;
    fd = make_last(clean, aim->kind, found);
  }
  int more_missing = fd < 0 && errno == ENOENT && aim->kind;
  if (fd < 0 && (more_missing || undecided(errno)))
    fd = walk(aim, existed, found);
  return refuse_symlinks(aim, fd, clean, found);
}

int resolve(const char *path, int flags, uint64_t restrictions, char found[PATH_MAX]) {
  int existed;
  return find(&(struct aim){.path = path, .flags = flags, .restrictions = restrictions}, &existed,
              found);
}

int resolve_or_make(const char *path, mode_t kind, uint64_t restrictions, int *existed,
                    char found[PATH_MAX]) {
  return find(&(struct aim){.path = path, .restrictions = restrictions, .kind = kind}, existed,
              found);
}

int resolve_shown(const char *path, int flags) {
  struct open_how how = {.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  for (int i = 0; i < WALK_TRIES; i++) {
    int fd = sys_openat2(init.root, path, &how);
    if (fd >= 0)
      return fd;
    if (errno == ENOSYS || errno == EPERM)
      break;
    /* A rename or a mount elsewhere raced with a `..`: the kernel asks for another try. */
    if (errno != EAGAIN && errno != EINTR)
      return -1;
  }
  char found[PATH_MAX];
  int existed;
  return walk(&(struct aim){.path = path, .flags = flags, .shown = 1}, &existed, found);
}

int resolve_below(int dir, const char *path) {
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int fd = sys_openat2(dir, path, &how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
    return fd;
  char name[NAME_MAX + 1];
  int at = openat(dir, ".", O_PATH | O_CLOEXEC);
  while (at >= 0 && next_component(&path, name) > 0) {
    int next = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    close_cleanup(&at);
    at = next;
  }
  return at;
}

int resolve_parent(const char *path, const char **name, char found[PATH_MAX]) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n >= sizeof directory) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(directory, path, n);
  directory[n] = 0;
  *name = slash ? slash + 1 : path;
  if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  int existed;
  return resolve_or_make(n ? directory : "/", S_IFDIR | 0755, 0, &existed, found);
}

/* Safe: made inside the root through descriptors, with the requested mode (the umask is 0). */
int op_mkdir(const struct op *op) {
  mode_t mode = (mode_t)op->v[MKDIR_MODE].num & 07777;
  int existed;
  int fd CLEANUP_CLOSE = resolve_or_make(op->v[MKDIR_PATH].str, S_IFDIR | mode, 0, &existed, NULL);
  if (fd < 0)
    return fail("mkdir", op->v[MKDIR_PATH].str);
  return 0;
}
