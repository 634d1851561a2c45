/* What this layer has written: the names, which its own whiteouts must not remove, and the times of
 * its directories. */
#include "layer.h"
#include <search.h>
#include <stdlib.h>

struct written {
  uint64_t directory, name;
};
static void *entries;

/* FNV-1a. Two names with one value are rare: a whiteout would leave one of them. */
static uint64_t hash(const char *name) {
  uint64_t h = 0xcbf29ce484222325;
  for (; *name; name++)
    h = (h ^ (uint8_t)*name) * 0x100000001b3;
  return h;
}

static int compare(const void *a, const void *b) {
  const struct written *x = a, *y = b;
  if (x->directory != y->directory)
    return x->directory < y->directory ? -1 : 1;
  return (x->name > y->name) - (x->name < y->name);
}

static struct written identify(int parent, const char *name) {
  struct stat st;
  if (fstat(parent, &st))
    fail_call("fstat", name);
  return (struct written){st.st_ino, hash(name)};
}

void written_add(int parent, const char *name) {
  struct written found = identify(parent, name), *e = malloc(sizeof *e);
  if (!e)
    fail_call("malloc", name);
  *e = found;
  struct written **at = tsearch(e, &entries, compare);
  if (!at)
    fail_call("malloc", name);
  if (*at != e)
    free(e);
}

bool written_has(int parent, const char *name) {
  struct written e = identify(parent, name);
  return tfind(&e, &entries, compare) != NULL;
}

static struct time_of {
  struct time_of *next;
  ino_t ino;
  struct timespec time[2];
  char path[];
} * times;

void times_add(int dir, const char *path, const struct timespec time[2]) {
  struct stat st;
  size_t size = strlen(path) + 1;
  struct time_of *t = malloc(sizeof *t + size);
  if (!t || fstat(dir, &st))
    fail_call(t ? "fstat" : "malloc", path);
  t->ino = st.st_ino;
  memcpy(t->time, time, sizeof t->time);
  memcpy(t->path, path, size);
  t->next = times;
  times = t;
}

/* Oldest first: of two entries for one directory the later one counts. */
static struct time_of *reversed(struct time_of *list) {
  struct time_of *done = NULL;
  while (list) {
    struct time_of *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

void times_apply(void) {
  times = reversed(times);
  for (const struct time_of *t = times; t; t = t->next) {
    AUTO_CLOSE int fd = open_in_root(t->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat st;
    /* A later entry of the layer may have replaced it. */
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
      continue;
    if (fd < 0 || fstat(fd, &st))
      fail_call("openat2", t->path);
    if (st.st_ino == t->ino && futimens(fd, t->time))
      fail_call("utimensat", t->path);
  }
}
