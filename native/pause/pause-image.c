/* The program pause (native/pause/), embedded in this binary. */
#include "../core/core.h"

__asm__(".section .rodata.runt_pause, \"a\", %progbits\n"
        ".balign 64\n"
        "runt_pause_start:\n"
        ".incbin \"" RUNT_PAUSE_PATH "\"\n"
        "runt_pause_end:\n"
        ".previous\n");
extern const uint8_t runt_pause_start[] __attribute__((visibility("hidden")));
extern const uint8_t runt_pause_end[] __attribute__((visibility("hidden")));

int32_t runt_pauseProgram(uint8_t *data, uint32_t data_cap) {
  size_t size = (uintptr_t)runt_pause_end - (uintptr_t)runt_pause_start;
  if (data_cap < size)
    return -EOVERFLOW;
  memcpy(data, runt_pause_start, size);
  return (int32_t)size;
}
