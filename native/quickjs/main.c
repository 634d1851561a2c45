/* Main program of the static binary: QuickJS, native functions of src/sys/abi.ts, bytecode.
 *
 * No quickjs-libc, no source text, no eval. The process ends by `exit` of the host object or,
 * when the main module fails, with 1. */
#include "../core/process/procfs.h"
#include "../init/relro.h"
#include "bind.h"
#include "memory.h"
#include "slabs.h"
#include "text.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void put_text(const char *text) {
  size_t len = strlen(text);
  while (len > 0) {
    ssize_t n = write(2, text, len);
    if (n <= 0)
      return;
    text += n;
    len -= (size_t)n;
  }
}

/* The exit status when TypeScript cannot report a failure: 255 for `exec`, as 1 would be that of
 * its process. An id may be "exec" too; for other commands any status but 0 is a failure. */
static int failed = 1;

static _Noreturn void die_without_memory(void) {
  put_text("runt: allocate memory: ENOMEM (cannot allocate memory)\n");
  _exit(failed);
}

/* Prints an exception with its stack and ends the process. What is not an object was not thrown by
 * this program: without memory for an error QuickJS throws null, or nothing (JS_ReadObject). */
static _Noreturn void die(JSContext *ctx, JSValueConst error) {
  const char *text = JS_IsObject(error) ? JS_ToCString(ctx, error) : NULL;
  if (!text || strcmp(text, "InternalError: out of memory") == 0)
    die_without_memory();
  put_text("runt: internal error: ");
  put_text(text);
  put_text("\n");
  JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
  const char *lines = JS_IsString(stack) ? JS_ToCString(ctx, stack) : NULL;
  if (lines)
    put_text(lines);
  _exit(failed);
}

static JSValue host_exit(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self;
  int32_t code;
  if (argc != 1 || want_i32(ctx, argv[0], &code, "exit", "code"))
    return JS_EXCEPTION;
  _exit(code); /* nothing to flush; the kernel frees all at once */
}

static JSValue decode(JSContext *ctx, int argc, JSValueConst *argv,
                      JSValue (*of)(JSContext *ctx, const uint8_t *bytes, size_t len)) {
  uint8_t *data;
  uint32_t len;
  int32_t wanted;
  if (argc != 2 || want_bytes(ctx, argv[0], &data, &len, "decode", "bytes") ||
      want_i32(ctx, argv[1], &wanted, "decode", "length"))
    return argc == 2 ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "decode takes 2 arguments");
  if (wanted < 0 || (uint32_t)wanted > len)
    wanted = (int32_t)len;
  return of(ctx, data, (size_t)wanted);
}

static JSValue host_decode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self;
  return decode(ctx, argc, argv, text_decode);
}

static JSValue host_decode_raw(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self;
  return decode(ctx, argc, argv, text_decode_raw);
}

static JSValue host_encode(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self;
  if (argc != 1 || !JS_IsString(argv[0]))
    return JS_ThrowTypeError(ctx, "encode takes a string");
  JSValue buffer = text_encode(ctx, argv[0]);
  if (JS_IsException(buffer))
    return buffer;
  JSValueConst list[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue array = JS_NewTypedArray(ctx, 3, list, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return array;
}

/* snapshot.c finds this by its name and sets it at build time: load the pieces to be ready and
 * stop. */
extern volatile int snapshot_wanted;
volatile int snapshot_wanted;

/* The modules of the pieces that were loaded when the snapshot was made. */
static JSModuleDef **modules;

/* The index of a piece; piece_count when there is none of that name. */
static uint32_t piece_named(const char *name) {
  if (strncmp(name, "./", 2) == 0)
    name += 2;
  uint32_t i = 0;
  while (i < piece_count && strcmp(pieces[i].name, name) != 0)
    i++;
  return i;
}

/* import() of a piece. hack/build.mjs writes it as a call of this, since bytecode without debug
 * data does not hold its module's name. */
static JSValue host_load(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self;
  const char *name = argc == 1 ? want_str(ctx, argv[0], "load", "name") : NULL;
  if (!name)
    return argc == 1 ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "load takes 1 argument");
  JSValue promise = JS_UNDEFINED;
  uint32_t i = piece_named(name);
  if (modules && i < piece_count && modules[i])
    promise = JS_EvaluatedModule(ctx, modules[i]);
  if (JS_IsUndefined(promise))
    promise = JS_LoadModule(ctx, "", name);
  JS_FreeCString(ctx, name);
  return promise;
}

/* Bytes in use of a program that stays (host.longLived): after the last collection, and after the
 * last one without work. 0 for a command, which ends before garbage matters. */
static size_t live, live_at_rest;

/* Frees cycles, which reference counting leaves, once they may hold `slack` bytes: a task, a
 * promise and what it settles, a closure and its object form cycles. */
static void collect(JSRuntime *rt, size_t before, size_t slack) {
  if (before == 0 || memory_in_use() < before + slack)
    return;
  JS_RunGC(rt);
  live = memory_in_use();
  slabs_trim();
}

/* Collects during work, after growth by a part of what is in use, so that a large heap is not
 * walked all the time. */
static void collect_at_work(JSRuntime *rt) {
  collect(rt, live, live / 8 > ((size_t)256 << 10) ? live / 8 : (size_t)256 << 10);
}

/* Collects after a time without work (src/sys/waiting/loop.ts). It compares with the last such
 * time: a collection during work leaves what the work still uses, and the garbage at its end would
 * never be enough. It visits all objects but those of the snapshot: not worth it for less. */
static JSValue host_tidy(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)self, (void)argc, (void)argv;
  collect(JS_GetRuntime(ctx), live_at_rest, (size_t)128 << 10);
  size_t now = memory_in_use();
  if (now < live_at_rest || live == now)
    live_at_rest = now;
  slabs_trim();
  return JS_UNDEFINED;
}

static JSValue host_long_lived(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  (void)ctx, (void)self, (void)argc, (void)argv;
  memory_long_lived();
  procfs_keep(0);
  live = live_at_rest = memory_in_use();
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry host_functions[] = {
    JS_CFUNC_DEF("exit", 1, host_exit),
    JS_CFUNC_DEF("decode", 2, host_decode),
    JS_CFUNC_DEF("decodeRaw", 2, host_decode_raw),
    JS_CFUNC_DEF("encode", 1, host_encode),
    JS_CFUNC_DEF("load", 1, host_load),
    JS_CFUNC_DEF("longLived", 0, host_long_lived),
    JS_CFUNC_DEF("tidy", 0, host_tidy),
};

static JSValue read_piece(JSContext *ctx, const struct piece *p) {
  JSValue module = JS_ReadObject(ctx, p->code, p->len, JS_READ_OBJ_BYTECODE);
  if (JS_IsException(module))
    die(ctx, JS_GetException(ctx));
  return module;
}

/* Finds an imported module among the embedded pieces. */
static JSModuleDef *load_piece(JSContext *ctx, const char *name, void *opaque) {
  (void)opaque;
  uint32_t i = piece_named(name);
  if (i == piece_count) {
    JS_ThrowReferenceError(ctx, "no module %s in this binary", name);
    return NULL;
  }
  JSValue module = read_piece(ctx, &pieces[i]);
  JSModuleDef *m = JS_VALUE_GET_PTR(module);
  JS_FreeValue(ctx, module); /* the context holds it */
  if (snapshot_wanted)
    modules[i] = m;
  return m;
}

/* Names of pieces are flat: there is nothing to resolve. */
static char *same_name(JSContext *ctx, const char *base, const char *name, void *opaque) {
  (void)base, (void)opaque;
  return js_strdup(ctx, name);
}

static JSValue string_of(JSContext *ctx, const char *text, size_t len) {
  return text_decode_raw(ctx, (const uint8_t *)text, len);
}

static JSValue arguments(JSContext *ctx, int argc, char **argv) {
  JSValue list = JS_NewArray(ctx);
  for (int i = 1; i < argc; i++)
    JS_SetPropertyUint32(ctx, list, (uint32_t)(i - 1), string_of(ctx, argv[i], strlen(argv[i])));
  return list;
}

/* The environment as an object without prototype: a variable may be called "constructor". The first
 * of two equal names counts, as for getenv(3). */
static JSValue environment(JSContext *ctx) {
  JSValue object = JS_NewObjectProto(ctx, JS_NULL);
  for (char **e = environ; *e; e++) {
    char *equals = strchr(*e, '=');
    if (!equals || equals == *e)
      continue;
    JSValue name = string_of(ctx, *e, (size_t)(equals - *e));
    JSAtom atom = JS_ValueToAtom(ctx, name);
    JS_FreeValue(ctx, name);
    if (JS_HasProperty(ctx, object, atom) == 0)
      JS_DefinePropertyValue(ctx, object, atom, string_of(ctx, equals + 1, strlen(equals + 1)),
                             JS_PROP_C_W_E);
    JS_FreeAtom(ctx, atom);
  }
  return object;
}

/* Rejected promises that have no handler yet, with their reasons. */
struct rejection {
  JSValue promise, reason;
};
static struct rejection *rejections;
static int rejection_count, rejection_room;

static void drop_rejection(JSContext *ctx, int at) {
  JS_FreeValue(ctx, rejections[at].promise);
  JS_FreeValue(ctx, rejections[at].reason);
  memmove(&rejections[at], &rejections[at + 1],
          (size_t)(--rejection_count - at) * sizeof *rejections);
}

static void on_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL handled,
                         void *opaque) {
  (void)opaque;
  if (handled) {
    for (int i = 0; i < rejection_count; i++)
      if (JS_VALUE_GET_PTR(rejections[i].promise) == JS_VALUE_GET_PTR(promise)) {
        drop_rejection(ctx, i);
        return;
      }
    return;
  }
  if (rejection_count == rejection_room) {
    int room = rejection_room * 2 + 8;
    struct rejection *more =
        js_realloc_rt(JS_GetRuntime(ctx), rejections, (size_t)room * sizeof *more);
    if (!more)
      die(ctx, reason);
    rejections = more;
    rejection_room = room;
  }
  rejections[rejection_count++] =
      (struct rejection){JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
}

/* The virtual machine. A binary with a snapshot (snapshot.c) starts with it. */
static struct {
  JSRuntime *rt;
  JSContext *ctx;
  /* The promise of the main module's evaluation. */
  JSValue done;
} vm;

/* The first random number would be the time of the build. And libc's clock, once called, stores
 * the address of the kernel's code for it, which differs from process to process. The only caller
 * is the initialisation of Math.random, which is removed. */
int __wrap_gettimeofday(struct timeval *now, void *zone);

int __wrap_gettimeofday(struct timeval *now, void *zone) {
  (void)zone;
  *now = (struct timeval){0};
  return 0;
}

static void make_vm(void) {
  JSRuntime *rt = JS_NewRuntime2(&memory_functions, NULL);
  JSContext *ctx = rt ? JS_NewContextRaw(rt) : NULL;
  if (!ctx)
    die_without_memory();
  /* Reference counting frees nearly all; a run is too short for cycles to matter below this. */
  JS_SetGCThreshold(rt, (size_t)32 << 20);
  JS_AddIntrinsicBaseObjects(ctx);
  JS_AddIntrinsicRegExp(ctx);
  JS_AddIntrinsicJSON(ctx);
  JS_AddIntrinsicMapSet(ctx);
  JS_AddIntrinsicTypedArrays(ctx);
  JS_AddIntrinsicPromise(ctx);
  JS_SetModuleLoaderFunc(rt, same_name, load_piece, NULL);
  JS_SetHostPromiseRejectionTracker(rt, on_rejection, NULL);

  JSValue native = JS_NewObject(ctx);
  bind_native(ctx, native);
  JSValue host = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, host, host_functions,
                             sizeof host_functions / sizeof host_functions[0]);
  JS_SetPropertyStr(ctx, host, "native", native);
  JSValue global = JS_GetGlobalObject(ctx);
  JS_SetPropertyStr(ctx, global, "runtHost", host);
  JSValue math = JS_GetPropertyStr(ctx, global, "Math");
  JSAtom random = JS_NewAtom(ctx, "random");
  JS_DeleteProperty(ctx, math, random, 0);
  JS_FreeAtom(ctx, random);
  JS_FreeValue(ctx, math);
  JS_FreeValue(ctx, global);
  vm.rt = rt;
  vm.ctx = ctx;
}

/* Ends the process for an uncaught error, unless the program continues without what failed: then
 * it calls the global runtUnhandled (src/entry/static-binary.ts). Takes the reference. */
static void unhandled(JSContext *ctx, JSValue error) {
  JSValue global = JS_GetGlobalObject(ctx);
  JSValue tell = JS_GetPropertyStr(ctx, global, "runtUnhandled");
  JS_FreeValue(ctx, global);
  if (!JS_IsFunction(ctx, tell))
    die(ctx, error);
  JSValue result = JS_Call(ctx, tell, JS_UNDEFINED, 1, &error);
  if (JS_IsException(result))
    JS_FreeValue(ctx, JS_GetException(ctx)); /* the handler failed too */
  JS_FreeValue(ctx, result);
  JS_FreeValue(ctx, tell);
  JS_FreeValue(ctx, error);
}

/* Runs jobs until all promises wait for something outside. */
static void run_jobs(void) {
  JSContext *at;
  for (;;) {
    int r = JS_ExecutePendingJob(vm.rt, &at);
    if (r < 0)
      unhandled(at, JS_GetException(at));
    else if (r == 0 && rejection_count == 0)
      return;
    else if (r == 0) {
      JSValue reason = JS_DupValue(vm.ctx, rejections[0].reason);
      drop_rejection(vm.ctx, 0);
      unhandled(vm.ctx, reason);
    }
  }
}

static void evaluate_main(void) {
  JSContext *ctx = vm.ctx;
  JSValue module = read_piece(ctx, &pieces[0]);
  if (JS_ResolveModule(ctx, module) < 0)
    die(ctx, JS_GetException(ctx));
  vm.done = JS_EvalFunction(ctx, module);
  if (JS_IsException(vm.done))
    die(ctx, JS_GetException(ctx));
}

/* Evaluates the pieces for that. */
static void evaluate(int ready) {
  for (uint32_t i = 1; i < piece_count; i++) {
    if (pieces[i].ready != ready)
      continue;
    JS_FreeValue(vm.ctx, JS_LoadModule(vm.ctx, "", pieces[i].name));
    run_jobs();
  }
}

/* Makes the shapes that objects have in the rehearsal (src/entry/snapshot-rehearsal.ts), which a
 * copy of this process performs: nothing else of it comes back. The copy ends without a SIGCHLD, at
 * which the debugger would stop this process. */
static void add_shapes(void) {
  enum { ROOM = 1 << 20 };
  uint8_t *list = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (list == MAP_FAILED)
    _exit(1);
  pid_t copy = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
  if (copy == 0) {
    JS_KeepShapes(vm.ctx);
    evaluate(3);
    _exit(JS_WriteShapes(vm.ctx, list, ROOM) ? 0 : 1);
  }
  int status;
  if (copy < 0 || waitpid(copy, &status, __WALL) != copy || status != 0)
    _exit(1);
  JS_MakeShapes(vm.ctx, list);
  munmap(list, ROOM);
}

/* Does everything that does not need the arguments. Modules only define, so the result is the same
 * in each process. */
static void make_snapshot(void) {
  if (memory_gather() < 0) {
    put_text("runt: no room for a snapshot\n");
    _exit(1);
  }
  make_vm();
  modules = js_mallocz_rt(vm.rt, piece_count * sizeof(JSModuleDef *));
  if (!modules)
    die_without_memory();
  evaluate_main();
  evaluate(1);
  evaluate(2);
  add_shapes(); /* the last: an object of such a shape that ends would end the shape */
  JS_MakeImmortal(vm.ctx);
  memory_scatter();
  js_immortal_size = (unsigned)(memory_gathered_end - (uint8_t *)GATHERED_AT);
  snapshot_wanted = 0;
  raise(SIGSTOP);
}

/* Calls a member of the global object without arguments; undefined when there is none. */
static JSValue call_global(const char *name) {
  JSValue global = JS_GetGlobalObject(vm.ctx);
  JSValue function = JS_GetPropertyStr(vm.ctx, global, name);
  JS_FreeValue(vm.ctx, global);
  JSValue result = JS_IsFunction(vm.ctx, function)
                       ? JS_Call(vm.ctx, function, JS_UNDEFINED, 0, NULL)
                       : JS_UNDEFINED;
  if (JS_IsException(result))
    die(vm.ctx, JS_GetException(vm.ctx));
  JS_FreeValue(vm.ctx, function);
  return result;
}

/* A caller may have closed 0, 1 or 2: the next file would get that number, and this process and
 * the container would take it for stdio. /dev/null replaces them, as for a set-user-ID program
 * (execve(2)). Returns bit n for descriptor n. */
static int fill_stdio(void) {
  struct pollfd stdio[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
  int closed = 0;
  if (poll(stdio, 3, 0) <= 0)
    return 0;
  for (int fd = 0; fd < 3; fd++) {
    if (!(stdio[fd].revents & POLLNVAL))
      continue;
    closed |= 1 << fd;
    if (open("/dev/null", O_RDWR) != fd) /* the lowest one that is free */
      _exit(1);
  }
  return closed;
}

int main(int argc, char **argv) {
  if (protect_relocated() < 0)
    return 1;
  if (snapshot_wanted)
    make_snapshot();
  int closed = fill_stdio();
  procfs_keep(1);
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], "exec") == 0)
      failed = 255;
  /* If the caller ignores it, the kernel reaps the children, and their statuses are lost. */
  signal(SIGCHLD, SIG_DFL);
  int made = vm.ctx != NULL;
  if (made)
    JS_UpdateStackTop(vm.rt); /* limits count from here, not from the build's stack */
  else
    make_vm();
  JSContext *ctx = vm.ctx;
  JSValue global = JS_GetGlobalObject(ctx);
  JSValue host = JS_GetPropertyStr(ctx, global, "runtHost");
  JS_SetPropertyStr(ctx, host, "program",
                    string_of(ctx, argc ? argv[0] : "", argc ? strlen(argv[0]) : 0));
  JS_SetPropertyStr(ctx, host, "args", arguments(ctx, argc, argv));
  JS_SetPropertyStr(ctx, host, "env", environment(ctx));
  JS_SetPropertyStr(ctx, host, "closed", JS_NewInt32(ctx, closed));
  if (!made)
    evaluate_main();
  run_jobs();
  call_global("runtMain");
  do {
    run_jobs();
    collect_at_work(vm.rt);
  }
  /* Nothing to run: sleep until an awaited event (src/sys/waiting/loop.ts). */
  while (JS_VALUE_GET_BOOL(call_global("runtTurn")));
  if (JS_PromiseState(ctx, vm.done) == JS_PROMISE_REJECTED)
    die(ctx, JS_PromiseResult(ctx, vm.done));
  put_text("runt: internal error: the command ended without a result\n");
  return 1;
}
