/* The counters of TypeScript in QuickJS: the global `runtPoints`. Linked with --wrap=bind_native.
 */
#include "bind.h"
#include "counters.h"
#include <stdlib.h>

void __real_bind_native(JSContext *ctx, JSValue object);
void __wrap_bind_native(JSContext *ctx, JSValue object);

void __wrap_bind_native(JSContext *ctx, JSValue object) {
  __real_bind_native(ctx, object);
  uint8_t *points = runt_coverage_points();
  if (!points)
    abort();
  JSValue list[3] = {JS_NewArrayBuffer(ctx, points, POINTS_SIZE, NULL, NULL, 0), JS_UNDEFINED,
                     JS_UNDEFINED};
  JSValue global = JS_GetGlobalObject(ctx);
  JS_SetPropertyStr(ctx, global, "runtPoints",
                    JS_NewTypedArray(ctx, 3, list, JS_TYPED_ARRAY_UINT8));
  JS_FreeValue(ctx, list[0]);
  JS_FreeValue(ctx, global);
}
