/* The bytes of a blob: counted, digested and decompressed. */
#include "layer.h"
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_SIZE = 1 << 17, OUT_SIZE = 1 << 18 };

static struct {
  enum { PLAIN, GZIP, ZSTD } kind;
  uint64_t size, read; /* of the blob */
  const char *digest;
  struct sha256 blob, plain;
  uint8_t in[IN_SIZE], out[OUT_SIZE];
  size_t at, end; /* of the bytes in `in` that are not used yet */
  bool padded;
  bool inside; /* of a gzip member or a zstd frame */
  z_stream gzip;
  ZSTD_DStream *zstd;
} stream;

/* Reads more of the blob into `in`. False at its end. */
static bool fill(void) {
  uint64_t left = stream.size - stream.read;
  ssize_t n = RETRY(read(BLOB_FD, stream.in, left < IN_SIZE ? (size_t)left : IN_SIZE));
  if (n < 0)
    fail_call("read", NULL);
  if (n == 0 && left > 0)
    fail(LAYER_ERROR_SIZE, 0, NULL, NULL);
  sha256_add(&stream.blob, stream.in, (size_t)n);
  stream.read += (uint64_t)n;
  stream.at = 0;
  stream.end = (size_t)n;
  return n > 0;
}

static void hexadecimal(const struct sha256 *s, char text[2 * SHA256_SIZE + 1]) {
  uint8_t digest[SHA256_SIZE];
  sha256_end(s, digest);
  for (int i = 0; i < SHA256_SIZE; i++)
    snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* Reads the rest of the blob, and compares its digest. */
static void verify_blob(void) {
  char found[2 * SHA256_SIZE + 1];
  while (fill())
    ;
  hexadecimal(&stream.blob, found);
  if (*stream.digest && strcmp(found, stream.digest) != 0)
    fail(LAYER_ERROR_DIGEST, 0, NULL, found);
}

_Noreturn void stream_fail(const char *kind, const char *path, const char *detail) {
  char text[256];
  snprintf(text, sizeof text, "%s", detail ? detail : "");
  verify_blob();
  fail(kind, 0, path, text);
}

static bool begins_with(const uint8_t *magic, size_t length) {
  return stream.end >= length && memcmp(stream.in, magic, length) == 0;
}

/* Names what layers may not be compressed with (image-spec layer.md: gzip, zstd, or not at all). */
static const char *other_compression(void) {
  static const struct {
    const char *magic;
    size_t length;
    const char *text;
  } others[] = {
      {"\xfd"
       "7zXZ\0",
       6, "it is compressed with xz, and not with gzip or zstd"},
      {"BZh", 3, "it is compressed with bzip2, and not with gzip or zstd"},
      {"\x04\x22\x4d\x18", 4, "it is compressed with lz4, and not with gzip or zstd"},
  };
  /* A plain archive, whose first file may be called BZh. */
  enum { MAGIC_AT = 257 };
  if (stream.end >= MAGIC_AT + 5 && memcmp(stream.in + MAGIC_AT, "ustar", 5) == 0)
    return NULL;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (begins_with((const uint8_t *)others[i].magic, others[i].length))
      return others[i].text;
  return NULL;
}

void stream_open(uint64_t size, const char *digest) {
  static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
  sha256_begin(&stream.blob);
  sha256_begin(&stream.plain);
  struct stat st;
  if (fstat(BLOB_FD, &st))
    fail_call("fstat", NULL);
  if ((uint64_t)st.st_size != size)
    fail(LAYER_ERROR_SIZE, 0, NULL, NULL);
  stream.size = size;
  stream.digest = digest;
  if (!fill())
    return;
  if (begins_with(gzip, sizeof gzip)) {
    stream.kind = GZIP;
    /* 15 bits of window, and the header of gzip, not that of zlib (inflateInit2). */
    if (inflateInit2(&stream.gzip, 15 + 16) != Z_OK)
      fail_call("malloc", NULL);
  } else if (begins_with(zstd, sizeof zstd) ||
             /* A skippable frame (RFC 8878). */
             (stream.end >= 4 && (stream.in[0] & 0xf0) == 0x50 &&
              memcmp(stream.in + 1, "\x2a\x4d\x18", 3) == 0)) {
    stream.kind = ZSTD;
    stream.zstd = ZSTD_createDStream();
    if (!stream.zstd)
      fail_call("malloc", NULL);
  } else {
    const char *other = other_compression();
    if (other)
      stream_fail(LAYER_ERROR_COMPRESSION, NULL, other);
  }
}

static size_t inflate_some(void) {
  z_stream *z = &stream.gzip;
  if (!stream.inside && inflateReset(z) != Z_OK)
    stream_fail(LAYER_ERROR_COMPRESSION, NULL, "inflateReset");
  stream.inside = true;
  z->next_in = stream.in + stream.at;
  z->avail_in = (uInt)(stream.end - stream.at);
  z->next_out = stream.out;
  z->avail_out = OUT_SIZE;
  int r = inflate(z, Z_NO_FLUSH);
  stream.at = stream.end - z->avail_in;
  if (r == Z_STREAM_END)
    stream.inside = false; /* another member may follow (RFC 1952) */
  else if (r != Z_OK && r != Z_BUF_ERROR)
    stream_fail(LAYER_ERROR_COMPRESSION, NULL, z->msg ? z->msg : "gzip");
  return OUT_SIZE - z->avail_out;
}

static size_t unzstd_some(void) {
  ZSTD_inBuffer in = {stream.in, stream.end, stream.at};
  ZSTD_outBuffer out = {stream.out, OUT_SIZE, 0};
  size_t r = ZSTD_decompressStream(stream.zstd, &out, &in);
  if (ZSTD_isError(r))
    stream_fail(LAYER_ERROR_COMPRESSION, NULL, ZSTD_getErrorName(r));
  stream.at = in.pos;
  stream.inside = r != 0;
  return out.pos;
}

/* Next bytes of the archive in *data, without a digest. */
static size_t next(const uint8_t **data) {
  for (;;) {
    if (stream.at == stream.end && !fill()) {
      /* zlib and zstd may hold the last bytes of what they have read already. */
      if (stream.kind == PLAIN || !stream.inside)
        return 0;
    }
    *data = stream.out;
    size_t before = stream.at, n = 0;
    if (stream.kind == PLAIN) {
      *data = stream.in + stream.at;
      n = stream.end - stream.at;
      stream.at = stream.end;
    } else {
      n = stream.kind == GZIP ? inflate_some() : unzstd_some();
      if (n == 0 && stream.at == before && stream.inside && stream.read == stream.size)
        stream_fail(LAYER_ERROR_COMPRESSION, NULL, "the data is cut off");
    }
    if (n > 0)
      return n;
  }
}

/* The archives of umoci insert lack the zeros after the last file, and the end. */
static size_t pad(const uint8_t **data) {
  static const uint8_t zeros[512];
  size_t after = stream.plain.length % sizeof zeros;
  if (after == 0 || stream.padded)
    return 0;
  stream.padded = true;
  *data = zeros;
  return sizeof zeros - after;
}

la_ssize_t stream_read(struct archive *a, void *unused, const void **data) {
  (void)a, (void)unused;
  const uint8_t *bytes = stream.out;
  size_t n = next(&bytes);
  /* Of the stream, not of files: what is between entries costs time too. */
  if (n > layer.bytes_left)
    fail(LAYER_ERROR_BYTES, 0, NULL, NULL);
  layer.bytes_left -= n;
  sha256_add(&stream.plain, bytes, n);
  if (n == 0)
    n = pad(&bytes);
  *data = bytes;
  return (la_ssize_t)n;
}

void stream_verify(const char *plain) {
  const void *rest;
  while (stream_read(NULL, NULL, &rest) > 0)
    ;
  verify_blob();
  char found[2 * SHA256_SIZE + 1];
  hexadecimal(&stream.plain, found);
  if (*plain && strcmp(found, plain) != 0)
    fail(LAYER_ERROR_DIFF_ID, 0, NULL, found);
}
