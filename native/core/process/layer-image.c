/* The program runt-layer (native/layer/), embedded in this binary. */
#include "../core.h"
#include "image.h"

__asm__(".section .rodata.runt_layer, \"a\", %progbits\n"
        ".balign 64\n"
        "runt_layer_start:\n"
        ".incbin \"" RUNT_LAYER_PATH "\"\n"
        "runt_layer_end:\n"
        ".previous\n");
extern const uint8_t runt_layer_start[] __attribute__((visibility("hidden")));
extern const uint8_t runt_layer_end[] __attribute__((visibility("hidden")));

int32_t runt_layerProgram(void) {
  static const struct program layer = {"runt-layer", runt_layer_start, runt_layer_end};
  int fd = image_memfd(&layer);
  if (fd != -EACCES && fd != -ENOSYS)
    return fd;
  int tree = image_tmpfs(&layer);
  return tree < 0 ? fd : tree;
}
