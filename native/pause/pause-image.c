/* The program pause (native/pause/), embedded in this binary. */
#include "../core/core.h"
#include "../core/process/image.h"

EMBED(runt_pause, RUNT_PAUSE_PATH);

int32_t runt_pauseProgram(uint8_t *data, uint32_t data_cap) {
  size_t size = (uintptr_t)runt_pause_end - (uintptr_t)runt_pause_start;
  if (data_cap < size)
    return -EOVERFLOW;
  memcpy(data, runt_pause_start, size);
  return (int32_t)size;
}
