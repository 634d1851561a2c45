/* runt-layer: unpacks one layer of an image, or an archive of an image, into a directory. */
#ifndef RUNT_LAYER_H
#define RUNT_LAYER_H
#include "../core/core.h"
#include "../core/text/sha256.h"
#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <stdbool.h>

/* Descriptors that the runtime passes. */
enum { BLOB_FD = 3, ROOT_FD = 4, REPORT_FD = 5, NAMESPACE_FD = 6, PROGRAM_FD = 7 };

/* ── main.c ── */

struct layer {
  bool is_layer;         /* .wh. names are whiteouts */
  uint64_t bytes_left;   /* that entries and the stream may still have */
  uint64_t entries_left; /* that may still come */
};
extern struct layer layer;

/* Reports why this ends, and ends it. `path` is the entry's name, or NULL. */
_Noreturn void fail(const char *kind, int error, const char *path, const char *detail);
/* The same for a system call that failed with errno. */
void fail_call(const char *call, const char *path) __attribute__((noreturn));
/* Counts something that was left out; the first path and errno of a kind are reported. */
void warn(const char *kind, int error, const char *path, const char *detail);

static inline bool has_prefix(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ── stream.c ── */

/* Opens the blob: gzip, zstd or plain, as its first bytes say. Digests are 64 hexadecimal digits,
 * or
 * "" for any. */
void stream_open(uint64_t size, const char *digest);
/* Next bytes of the archive, 0 at its end. A callback of libarchive (archive_read_callbacks(3)). */
la_ssize_t stream_read(struct archive *a, void *unused, const void **data);
/* Reads to the end of the blob, and compares the digests of the blob and of the archive in it. */
void stream_verify(const char *plain);
/* Fails with what a damaged blob may have caused, or with its wrong digest. */
_Noreturn void stream_fail(const char *kind, const char *path, const char *detail);

/* ── root-paths.c ── */

/* Copies a name of the archive without empty components and "."; "" for the root. */
void clean_name(const char *name, char out[PATH_MAX]);
/* Opens a path that clean_name made: O_PATH, or what flags say. -1 with errno. */
int open_in_root(const char *path, int flags);
/* Opens the directory of a path, which follows symlinks in the root; makes what is missing if
 * `make`. -1 with errno. Leaves the last component in *name. */
int open_parent(const char *path, const char **name, bool make);
/* Removes what is at name, a tree too. */
void remove_name(int parent, const char *name, const char *path);

/* Calls act with each name in a directory, which it closes. */
void each_name(int dir, const char *path, void (*act)(int, const char *, const char *));
/* Removes all that is in the root. */
void empty_root(void);

/* ── written.c ── */

/* Records that this layer has written name in a directory. */
void written_add(int parent, const char *name);
bool written_has(int parent, const char *name);
/* Records the time of a directory, which is set when nothing more is written into it. */
void times_add(int dir, const char *path, const struct timespec time[2]);
void times_apply(void);

/* ── whiteout.c ── */

/* Performs a whiteout, if the entry is one, or skips it. */
bool whiteout(const char *path);

/* ── unpack.c ── */

/* Unpacks the blob, whose digests are those of stream_open, into the root. */
void unpack_stream(uint64_t size, const char *digest, const char *plain);

/* ── entry.c ── */

void unpack_entry(struct archive *a, struct archive_entry *e);

/* ── metadata.c ── */

/* Sets owner, mode, extended attributes and times of what was made: by descriptor for a file or a
 * directory, else fd is -1 and it is name in parent. */
void set_metadata(int fd, int parent, const char *name, const char *path, struct archive_entry *e);
/* Sets one extended attribute, or warns if it cannot be set here. */
void set_attribute(int fd, int parent, const char *name, const char *path, const char *key,
                   const void *value, size_t size);

/* ── acl.c ── */

/* Sets the access control lists, after the mode, which they change. */
void set_acls(int fd, int parent, const char *name, const char *path, struct archive_entry *e);

#endif
