/* One archive, from its first byte to its digest. */
#include "layer.h"
#include <locale.h>

static void unpack_entries(struct archive *a) {
  struct archive_entry *e;
  int r = ARCHIVE_OK;
  while (r == ARCHIVE_OK || r == ARCHIVE_WARN) {
    r = archive_read_next_header(a, &e);
    if (r == ARCHIVE_EOF)
      return;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
      break;
    if (layer.entries_left-- == 0)
      fail(LAYER_ERROR_ENTRIES, 0, archive_entry_pathname(e), NULL);
    unpack_entry(a, e);
  }
  stream_fail(LAYER_ERROR_ARCHIVE, NULL, archive_error_string(a));
}

void unpack_stream(uint64_t size, const char *digest, const char *plain) {
  /* Names are bytes: in this locale libarchive changes none. */
  if (!setlocale(LC_CTYPE, "C.UTF-8"))
    fail_call("setlocale", NULL);
  stream_open(size, digest);
  struct archive *a = archive_read_new();
  if (!a)
    fail_call("malloc", NULL);
  archive_read_support_format_tar(a);
  /* Some tools write a layer without files as no bytes at all. */
  archive_read_support_format_empty(a);
  if (archive_read_open(a, NULL, NULL, stream_read, NULL) != ARCHIVE_OK)
    stream_fail(LAYER_ERROR_ARCHIVE, NULL, archive_error_string(a));
  unpack_entries(a);
  stream_verify(plain);
  times_apply();
}
