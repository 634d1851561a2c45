/* Regular expressions of regex(7), by the C library: JavaScript's backtrack and have another
 * syntax. */
#include "../core.h"
#include <regex.h>

int32_t runt_matching(const char *pattern, const uint8_t *names, uint32_t names_len, uint8_t *data,
                      uint32_t data_cap) {
  regex_t compiled;
  if (names_len && names[names_len - 1])
    return -EINVAL;
  int r = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
  if (r)
    return r == REG_ESPACE ? -ENOMEM : -EINVAL;
  int32_t length = 0;
  for (uint32_t at = 0; at < names_len;) {
    const char *name = (const char *)names + at;
    uint32_t size = (uint32_t)strlen(name) + 1;
    at += size;
    if (regexec(&compiled, name, 0, NULL, 0) != 0)
      continue;
    if (size > data_cap - (uint32_t)length) {
      length = -EOVERFLOW;
      break;
    }
    memcpy(data + length, name, size);
    length += (int32_t)size;
  }
  regfree(&compiled);
  return length;
}
