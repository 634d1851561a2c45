/* The program runt-layer (native/layer/), embedded in this binary. */
#include "../core.h"
#include "image.h"

EMBED(runt_layer, RUNT_LAYER_PATH);

int32_t runt_layerProgram(void) {
  static const struct program layer = {"runt-layer", runt_layer_start, runt_layer_end};
  int fd = image_memfd(&layer);
  if (fd != -EACCES && fd != -ENOSYS)
    return fd;
  int tree = image_tmpfs(&layer);
  return tree < 0 ? fd : tree;
}
