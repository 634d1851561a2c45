/* The zero bytes of a list of strings, each ended by one. */
#include "../core.h"

int32_t runt_zeroBytes(const uint8_t *data, uint32_t data_len) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < data_len; i++)
    count += data[i] == 0;
  return count > INT32_MAX ? -EOVERFLOW : (int32_t)count;
}
