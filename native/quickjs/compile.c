/* Compiler of ES modules to QuickJS bytecode, at build time: compile [-g] NAME FILE OUTPUT.
 * Imports are resolved by name when the program runs, so a placeholder replaces each here. -g
 * keeps line numbers. */
#include "quickjs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "compile: %s\n", what);
  exit(1);
}

static _Noreturn void fail_exception(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  fail(JS_ToCString(ctx, error));
}

static int stand_in_init(JSContext *ctx, JSModuleDef *m) {
  (void)ctx, (void)m;
  return 0;
}

static JSModuleDef *stand_in(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  return JS_NewCModule(ctx, name, stand_in_init);
}

static char *load(const char *path, size_t *len) {
  FILE *f = fopen(path, "rb");
  if (!f)
    fail(path);
  long size = fseek(f, 0, SEEK_END) < 0 ? -1 : ftell(f);
  if (size < 0)
    fail(path);
  char *text = malloc((size_t)size + 1);
  rewind(f);
  if (!text || fread(text, 1, (size_t)size, f) != (size_t)size)
    fail(path);
  fclose(f);
  text[size] = 0;
  *len = (size_t)size;
  return text;
}

int main(int argc, char **argv) {
  int strip = JS_STRIP_DEBUG;
  if (argc > 1 && strcmp(argv[1], "-g") == 0) {
    strip = JS_STRIP_SOURCE;
    argc--;
    argv++;
  }
  if (argc != 4)
    fail("usage: compile [-g] NAME FILE OUTPUT");
  JSRuntime *rt = JS_NewRuntime();
  JSContext *ctx = rt ? JS_NewContext(rt) : NULL;
  if (!ctx)
    fail("out of memory");
  JS_SetStripInfo(rt, strip);
  JS_SetModuleLoaderFunc(rt, NULL, stand_in, NULL);
  size_t len, size;
  char *text = load(argv[2], &len);
  JSValue module =
      JS_Eval(ctx, text, len, argv[1], JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  if (JS_IsException(module))
    fail_exception(ctx);
  uint8_t *code = JS_WriteObject(ctx, &size, module, JS_WRITE_OBJ_BYTECODE);
  if (!code)
    fail_exception(ctx);
  FILE *out = fopen(argv[3], "wb");
  if (!out || fwrite(code, 1, size, out) != size || fclose(out) != 0)
    fail(argv[3]);
  return 0;
}
