/* Table of the mounts that the plan has made, each by its descriptor.
 *
 * The root file system may belong to others: a volume of another container, a directory of an
 * ordinary user. In another mount namespace they can rename a directory that is a mount point
 * here, and the mount moves along (rename(2) refuses only mount points of its own namespace).
 * So a path does not lead back to a mount. The plan reaches files below a mount from the
 * mount's descriptor. verifyMounts checks that each mount is where a process of the container
 * would look for it. */
#include "../init.h"
#include <stddef.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* One mount. Its descriptor keeps the mount id in use: removing the directory below a mount
 * unmounts it, and the kernel reuses the id when no descriptor holds the mount. */
struct made {
  const char *path;  /* from the root, without symlinks */
  const char *alias; /* its path in the plan, if that has symlinks; NULL otherwise */
  size_t length, alias_length;
  struct identity root;
  int fd; /* its root; -1 near the limit on descriptors: then its path, verified, leads to it */
  uint32_t op;
  unsigned char covered; /* by a later mount, on it or above it */
  unsigned char alone;   /* only this process and its hooks can reach its files */
  unsigned char settled; /* only they can rename its mount point */
  unsigned char traits;
};

static struct made *table;
static size_t count, room;

/* A path that is a mount point, or leads to one. With this table lookups stay fast in a plan of
 * thousands of mounts. A slot of a hash table (FNV-1a, linear probing). */
struct node {
  const char *path; /* its first `length` bytes; NULL for a free slot */
  size_t length;
  uint64_t hash;
  uint32_t mount; /* index + 1 of the last one on it; 0: mounts are only below it */
};
static struct node *nodes;
static size_t node_count, node_room;

static const uint64_t FNV_START = 0xcbf29ce484222325, FNV_PRIME = 0x100000001b3;

/* The slot of a path, or the free slot for it. */
static struct node *slot_of(const char *path, size_t length, uint64_t hash) {
  struct node *n = &nodes[hash & (node_room - 1)];
  while (n->path && (n->hash != hash || n->length != length || memcmp(n->path, path, length)))
    n = n == &nodes[node_room - 1] ? nodes : n + 1;
  return n;
}

static int more_nodes(void) {
  struct node *old = nodes;
  size_t n = node_room, room_now = n ? 4 * n : 128;
  struct node *larger = allocate(room_now * sizeof *larger);
  if (!larger)
    return -1;
  memset(larger, 0, room_now * sizeof *larger);
  nodes = larger;
  node_room = room_now;
  for (size_t i = 0; i < n; i++)
    if (old[i].path)
      *slot_of(old[i].path, old[i].length, old[i].hash) = old[i];
  return 0;
}

/* Adds a path and those that lead to it. *crowded: something is on it or below it already. */
static int enter(const char *path, uint32_t mount, int *crowded) {
  uint64_t hash = FNV_START;
  for (size_t i = 0;; i++) {
    if (i && (path[i] == '/' || !path[i])) {
      if (2 * node_count >= node_room && more_nodes())
        return -1;
      struct node *n = slot_of(path, i, hash);
      if (!n->path) {
        *n = (struct node){.path = path, .length = i, .hash = hash};
        node_count++;
      } else if (!path[i])
        *crowded = 1;
      if (!path[i])
        n->mount = mount;
    }
    if (!path[i])
      return 0;
    hash = (hash ^ (unsigned char)path[i]) * FNV_PRIME;
  }
}

/* Whether a path of n bytes is one of the names of a mount. A mount whose root is a symlink has
 * none: a lookup follows the link. */
static int is_named(const struct made *m, const char *path, size_t n) {
  return !m->covered && !S_ISLNK(m->root.type) &&
         ((m->length == n && !memcmp(m->path, path, n)) ||
          (m->alias && m->alias_length == n && !memcmp(m->alias, path, n)));
}

/* The mount on a path of n bytes, other than `self`. */
static struct made *on(const char *path, size_t n, uint64_t hash, const struct made *self) {
  const struct node *node = slot_of(path, n, hash);
  if (!node->path || !node->mount)
    return NULL;
  struct made *m = &table[node->mount - 1];
  if (m == self || is_named(m, path, n))
    return m == self ? NULL : m;
  /* The last one is covered, and an earlier one may have this path as another name. */
  while (m-- > table)
    if (is_named(m, path, n))
      return m;
  return NULL;
}

/* The deepest mount, other than `self`, that holds path. *named: the length of its name in path. */
static struct made *above(const char *path, const struct made *self, size_t *named) {
  struct made *deepest = NULL;
  uint64_t hash = FNV_START;
  *named = 0;
  for (size_t i = 0; count; i++) {
    if (i && (path[i] == '/' || !path[i])) {
      struct made *m = on(path, i, hash, self);
      if (m) {
        deepest = m;
        *named = i;
      }
    }
    if (!path[i])
      break;
    hash = (hash ^ (unsigned char)path[i]) * FNV_PRIME;
  }
  return deepest;
}

/* Whether path is `directory` (of n bytes) or lies below it. */
static int holds(const char *directory, size_t n, const char *path) {
  return !strncmp(directory, path, n) && (path[n] == '/' || !path[n]);
}

const struct made *made_above(const char *path, const char **rest) {
  size_t n;
  const struct made *m = above(path, NULL, &n);
  *rest = path + n + (path[n] == '/');
  return m;
}

const struct made *made_on(const char *path) {
  size_t n;
  const struct made *m = above(path, NULL, &n);
  return m && !path[n] ? m : NULL;
}

const struct made *made_by_id(int64_t id) {
  for (size_t i = 0; i < count; i++)
    if (table[i].root.mount == id)
      return &table[i];
  return NULL;
}

const char *made_path(const struct made *m) { return m->path; }
int made_descriptor(const struct made *m) { return m->fd; }

int mount_moved(const struct made *m) {
  init.blamed = m->op + 1;
  fail_for_good(ESTALE, "verifyMount", m->path);
  errno = ESTALE;
  return -1;
}

/* Opens the path of a mount, below the mount that holds it. */
static int open_by_path(const struct made *m) {
  size_t n;
  const struct made *holder = above(m->path, m, &n);
  int dir CLEANUP_CLOSE = holder ? made_open(holder) : sys_duplicate(init.root);
  return dir < 0 ? -1 : resolve_below(dir, m->path + n + 1);
}

int made_open(const struct made *m) {
  if (m->fd >= 0)
    return sys_duplicate(m->fd);
  int fd = open_by_path(m);
  struct identity now;
  if (fd >= 0 && !identify(fd, &now) && same_root(&now, &m->root))
    return fd;
  close_cleanup(&fd);
  return mount_moved(m);
}

/* A descriptor to keep, if that leaves enough for the rest of the plan; else -1. Never one of
 * stdio, which a terminal replaces. */
static int keepable(int fd) {
  static const rlim_t others = 64;
  static rlim_t max_fd;
  struct rlimit limit;
  if (!max_fd)
    max_fd = getrlimit(RLIMIT_NOFILE, &limit) ? 2 * others
             : limit.rlim_cur > 2 * others    ? limit.rlim_cur - others
                                              : limit.rlim_cur / 2;
  if (fd > 2)
    return (rlim_t)fd < max_fd ? fd : -1;
  return sys_duplicate(fd);
}

static void keep_descriptor(struct made *m, int *fd) {
  m->fd = keepable(*fd);
  if (m->fd == *fd)
    *fd = -1;
  close_cleanup(fd);
  *fd = -1;
}

static void cover(struct made *m) {
  m->covered = 1;
  close_cleanup(&m->fd);
  m->fd = -1;
}

/* Whether a clone of the mounts around it omits this mount. */
static int is_unbindable(int64_t id) {
  const char *at = mountinfo_read();
  for (struct mountinfo line; at && (at = mountinfo_next(at, &line));)
    if (line.id == id)
      return memmem(line.target, (size_t)(line.type - line.target), " unbindable ", 12) != NULL;
  return 0;
}

/* A recursive clone has its own copy of m: it must have the same root. */
static int repeat(struct made *m) {
  int fd = open_by_path(m);
  struct identity now = {.mount = m->root.mount};
  if (fd >= 0 && identify(fd, &now))
    now.mount = m->root.mount;
  if (now.mount == m->root.mount || now.device != m->root.device || now.inode != m->root.inode) {
    close_cleanup(&fd);
    if (!is_unbindable(m->root.mount))
      return mount_moved(m);
    cover(m);
    return 0;
  }
  close_cleanup(&m->fd);
  m->root = now;
  keep_descriptor(m, &fd);
  return 0;
}

/* m covers earlier mounts on its path or below; names that lead through its path now lead
 * into it. */
static int cover_below(const struct made *m) {
  for (struct made *other = table; other < table + count; other++) {
    if (other == m)
      continue;
    if (other->alias && holds(m->path, m->length, other->alias))
      other->alias = NULL;
    if (other->covered || !holds(m->path, m->length, other->path))
      continue;
    if (!(m->traits & REPEATS) || other->length == m->length)
      cover(other);
    else if (repeat(other))
      return -1;
  }
  return 0;
}

void forget_mounts(void) {
  for (struct made *m = table; m < table + count; m++)
    cover(m);
  count = node_count = 0;
  if (nodes)
    memset(nodes, 0, node_room * sizeof *nodes);
}

static char *copy_of(const char *path) {
  size_t size = strlen(path) + 1;
  char *copy = allocate(size);
  return copy ? memcpy(copy, path, size) : NULL;
}

static struct made *add(void) {
  if (count == room) {
    size_t more = room ? 2 * room : 24;
    struct made *larger = allocate(more * sizeof *larger);
    if (!larger)
      return NULL;
    if (count)
      memcpy(larger, table, count * sizeof *larger);
    table = larger;
    room = more;
  }
  return &table[count++];
}

int note_mount(int *tree, const char *named, const char *found, int64_t holder, unsigned traits) {
#ifdef RUNT_WEAK_MOUNTS
  /* hack/test-c.mjs builds such a runt-init, so that test/security can show that its attack
   * works. */
  return 0;
#endif
  char alias[PATH_MAX];
  struct identity root;
  int plain = clean_path(named, alias);
  if (plain < 0 || identify(*tree, &root))
    return -1;
  size_t n;
  const struct made *in = above(found, NULL, &n);
  if (in && in->root.mount != holder)
    in = NULL;
  /* The root is private, unless a bind on `/` shares with the host. So no other mount namespace
   * shows what is mounted in it. */
  int shared = init.covered_roots && init.inherited_propagation & MS_SHARED;
  int alone = !init.joined_mounts && !shared && (traits & (KERNEL_NAMES | NEW_FILES)) &&
              (in ? in->alone : holder == mount_id(init.root));
  int settled = in && (in->traits & KERNEL_NAMES || in->alone) && (found[n] || in->settled);
  /* A clone has the same file names as the mount that it repeats. */
  if (in && traits & REPEATS)
    traits |= in->traits & KERNEL_NAMES;
  struct made *m = add();
  if (!m)
    return -1;
  *m = (struct made){.path = strcmp(named, found) ? copy_of(found) : named,
                     .alias = plain && strcmp(alias, found) ? copy_of(alias) : NULL,
                     .root = root,
                     .fd = -1,
                     .op = init.current,
                     .alone = (unsigned char)alone,
                     .settled = (unsigned char)settled,
                     .traits = (unsigned char)traits};
  if (!m->path)
    return -1;
  m->length = strlen(m->path);
  m->alias_length = m->alias ? strlen(m->alias) : 0;
  keep_descriptor(m, tree);
  int crowded = 0, ignored;
  if (enter(m->path, (uint32_t)count, &crowded) ||
      (m->alias && enter(m->alias, (uint32_t)count, &ignored)))
    return -1;
  return crowded ? cover_below(m) : 0;
}

/* Finds the mount with this id in mountinfo: 1, or 0 when it is not listed. */
static int listed(const char *at, int64_t id, struct mountinfo *line) {
  while ((at = mountinfo_next(at, line)))
    if (line->id == id)
      return 1;
  return 0;
}

/* Whether `top` is mounted on the root of m, perhaps with others between. */
static int is_on(const char *mountinfo, int64_t top, const struct made *m) {
  struct mountinfo line, below;
  while (listed(mountinfo, top, &line)) {
    if (!listed(mountinfo, line.parent, &below) || below.target_length != line.target_length ||
        memcmp(below.target, line.target, line.target_length))
      return 0;
    if (below.id == m->root.mount)
      return 1;
    top = below.id;
  }
  return 0;
}

/* Whether m has not moved, but a mount that is not of the plan, on a directory above, hides it. */
static int is_hidden(const char *mountinfo, const struct made *m) {
  char target[PATH_MAX];
  struct mountinfo line, root, other;
  int64_t root_id = mount_id(init.root);
  if (!listed(mountinfo, m->root.mount, &line) || !listed(mountinfo, root_id, &root) ||
      mountinfo_target(&line, target))
    return 0;
  char expected[PATH_MAX];
  struct text t = TEXT_IN(expected);
  if (mountinfo_target(&root, expected))
    return 0;
  t.length = strlen(expected) > 1 ? strlen(expected) : 0;
  text_add(&t, m->path);
  if (t.cut || strcmp(target, expected))
    return 0;
  for (const char *at = mountinfo; (at = mountinfo_next(at, &other));) {
    if (other.target_length >= line.target_length || other.target_length <= root.target_length ||
        memcmp(other.target, line.target, other.target_length) ||
        line.target[other.target_length] != '/' || made_by_id(other.id))
      continue;
    /* A mount hides other mounts that are not below it. */
    struct mountinfo holder = line;
    while (holder.id != other.id && holder.id != root_id &&
           listed(mountinfo, holder.parent, &holder))
      ;
    if (holder.id == root_id)
      return 1;
  }
  return 0;
}

/* A hook may have mounted something on m, which m's path then names, or above it. `fd` is what is
 * there, or -1. */
static int look_for_hook(struct made *m, int *fd, const struct identity *now,
                         const char **mountinfo) {
  if (!*mountinfo && !(*mountinfo = mountinfo_read()))
    return -1;
  if (*fd >= 0 && is_on(*mountinfo, now->mount, m)) {
    close_cleanup(&m->fd);
    m->root = *now;
    m->traits = m->alone = 0;
    keep_descriptor(m, fd);
    return cover_below(m);
  }
  if (!is_hidden(*mountinfo, m))
    return mount_moved(m);
  cover(m);
  return 0;
}

/* Errors about where a path leads; others do not mean that a mount has moved. */
static int leads_elsewhere(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EXDEV || error == EACCES;
}

static int verify(struct made *m, const char **mountinfo, int last) {
  int fd CLEANUP_CLOSE = resolve_shown(m->path, O_NOFOLLOW);
  struct identity now;
  if ((fd < 0 && !leads_elsewhere(errno)) || (fd >= 0 && identify(fd, &now)))
    return fail("openat2", m->path);
  if (fd < 0 || !same_root(&now, &m->root))
    return last || !init.hooks_ran ? mount_moved(m) : look_for_hook(m, &fd, &now, mountinfo);
  if (!m->alias || S_ISLNK(now.type))
    return 0;
  int named CLEANUP_CLOSE = resolve_shown(m->alias, 0);
  if (named >= 0 && !identify(named, &now) && same_root(&now, &m->root))
    return 0;
  /* A hook may change symlinks (ldconfig(8)). */
  if (!init.hooks_ran)
    return mount_moved(m);
  m->alias = NULL;
  return 0;
}

/* Safe: only looks up paths from the root, as a process of the container will, and compares and
 * closes what it finds. It skips mount points that no other process can rename, in a mount that is
 * itself verified, unless a hook may have mounted something there. */
int op_verify_mounts(const struct op *op) {
  const char *mountinfo = NULL;
  int last = op->v[VERIFY_MOUNTS_LAST].on;
  if (last && drop_staging())
    return fail("umount2", "/");
  for (struct made *m = table; m < table + count; m++)
    if (!m->covered && !(m->settled && (last || !init.hooks_ran)) && verify(m, &mountinfo, last))
      return -1;
  if (last)
    forget_mounts();
  return 0;
}
