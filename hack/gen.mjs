// Generator of C, and of the plan's encoders, from the tables. From src/sys/abi.ts: build/gen/abi.h and
// build/gen/quickjs-abi.c; from src/sys/protocol.ts: build/gen/protocol.h and build/gen/reports.h; from
// src/plan/plan-ops.ts: build/gen/ops.h, build/gen/dispatch.h and build/gen/op-encoders.js. A file keeps its time if
// its content does not change, so that make rebuilds nothing.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const out = 'build/gen';
const banner = '/* Made by hack/gen.mjs; do not edit. */\n';

/** Bundles one TypeScript table and imports it. */
async function load(path) {
  const result = await build({ entryPoints: [path], bundle: true, format: 'esm', write: false, logLevel: 'error' });
  return import(`data:text/javascript;base64,${Buffer.from(result.outputFiles[0].contents).toString('base64')}`);
}

function put(name, text) {
  const path = `${out}/${name}`;
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  writeFileSync(path, text);
}

/** mountFs → MOUNT_FS */
const upper = (name) => name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase();
const comment = (text) => text.replaceAll('*/', '* /').replaceAll('→', '->').replaceAll('…', '...');

/** A comment in C, in lines of at most 120 columns. */
function wrapped(text) {
  const lines = ['/*'];
  for (const word of `${text} */`.replace(/ (\S+) \*\/$/, ' $1\u00a0*/').split(' ')) {
    if (lines.at(-1).length + 1 + word.length > 120) lines.push(' *');
    lines.push(`${lines.pop()} ${word}`);
  }
  return lines.join('\n').replace('\u00a0', ' ');
}

// ── abi ──

const cType = {
  i32: (n) => `int32_t ${n}`,
  i64: (n) => `int64_t ${n}`,
  str: (n) => `const char *${n}`,
  buf: (n) => `const uint8_t *${n}, uint32_t ${n}_len`,
  out: (n) => `uint8_t *${n}, uint32_t ${n}_cap`,
};
// `stdin`, `stdout` and `stderr` are macros of <stdio.h>.
const cName = (n) => (/^std(in|out|err)$/.test(n) ? `${n}_fd` : n);

function abiHeader(abi) {
  const lines = [banner, '#ifndef RUNT_ABI_H', '#define RUNT_ABI_H', '#include <stdint.h>', ''];
  for (const [name, f] of Object.entries(abi)) {
    const args = f.args.map(([n, t]) => cType[t](cName(n))).join(', ') || 'void';
    lines.push(
      wrapped(comment(f.doc)),
      `__attribute__((visibility("default"))) ${f.ret === 'i64' ? 'int64_t' : 'int32_t'} runt_${name}(${args});`,
      '',
    );
  }
  return `${lines.join('\n')}#endif\n`;
}

function abiBinding(name, f) {
  const lines = [
    `static JSValue js_${name}(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {`,
    '  (void)self;',
  ];
  if (f.args.length === 0) lines.push('  (void)argv;');
  lines.push(
    `  if (argc != ${f.args.length}) return JS_ThrowTypeError(ctx, "${name} takes ${f.args.length} arguments");`,
  );
  const strings = f.args.map(([, t], i) => [t, i]).filter(([t]) => t === 'str');
  const call = [];
  // Numbers and buffers first: if one is refused, there is nothing to free.
  f.args.forEach(([n, t], i) => {
    if (t === 'i32') {
      lines.push(
        `  int32_t a${i};`,
        `  if (want_i32(ctx, argv[${i}], &a${i}, "${name}", "${n}")) return JS_EXCEPTION;`,
      );
      call.push(`a${i}`);
    } else if (t === 'i64') {
      lines.push(
        `  int64_t a${i};`,
        `  if (want_i64(ctx, argv[${i}], &a${i}, "${name}", "${n}")) return JS_EXCEPTION;`,
      );
      call.push(`a${i}`);
    } else if (t === 'str') {
      call.push(`s${i}`);
    } else {
      lines.push(
        `  uint8_t *p${i};`,
        `  uint32_t n${i};`,
        `  if (want_bytes(ctx, argv[${i}], &p${i}, &n${i}, "${name}", "${n}")) return JS_EXCEPTION;`,
      );
      call.push(`p${i}`, `n${i}`);
    }
  });
  const held = [];
  for (const [, i] of strings) {
    lines.push(`  const char *s${i} = want_str(ctx, argv[${i}], "${name}", "${f.args[i][0]}");`);
    lines.push(
      `  if (!s${i}) {`,
      ...held.map((h) => `    JS_FreeCString(ctx, s${h});`),
      '    return JS_EXCEPTION;',
      '  }',
    );
    held.push(i);
  }
  lines.push(`  ${f.ret === 'i64' ? 'int64_t' : 'int32_t'} result = runt_${name}(${call.join(', ')});`);
  for (const h of held) lines.push(`  JS_FreeCString(ctx, s${h});`);
  lines.push(`  return ${f.ret === 'i64' ? 'JS_NewBigInt64(ctx, result)' : 'JS_NewInt32(ctx, result)'};`, '}', '');
  return lines.join('\n');
}

function abiQuickjs(abi) {
  const entries = Object.entries(abi);
  const list = entries.map(([n, f]) => `    JS_CFUNC_DEF("${n}", ${f.args.length}, js_${n}),`).join('\n');
  return `${banner}
#include "abi.h"
#include "bind.h"

${entries.map(([n, f]) => abiBinding(n, f)).join('\n')}
static const JSCFunctionListEntry native_functions[] = {
${list}
};

void bind_native(JSContext *ctx, JSValue object) {
  JS_SetPropertyFunctionList(ctx, object, native_functions, ${entries.length});
}
`;
}

// ── protocol ──

/** One constant of the table in C. */
function constant(name, value) {
  if (typeof value === 'number') return `enum { ${name} = ${value} };`;
  if (typeof value === 'string') return `#define ${name} ${JSON.stringify(value)}`;
  if (Array.isArray(value)) return `enum { ${value.map((item, i) => `${name}_${upper(item)} = ${i}`).join(', ')} };`;
  return Object.entries(value)
    .map(([key, text]) => constant(`${name}_${upper(key)}`, text))
    .join('\n');
}

/** Limits of src/sys/waiting/time-limits.ts that C also needs. */
const sharedLimits = ['reapTime', 'recentOomEvent', 'slowHookTime'];

function protocolHeader({ Protocol, REPORT, ...lists }, limits) {
  // An enumeration also has its numbers as keys.
  const single = Object.entries(Protocol).filter(([name]) => !/^\d/.test(name));
  const kinds = Object.fromEntries(Object.keys(REPORT).map((kind) => [kind, kind]));
  const times = sharedLimits.map((name) => [upper(name), limits[name]]);
  const groups = [...single, ['REPORT', kinds], ...Object.entries(lists), ...times];
  const lines = groups.map(([name, value]) => constant(name, value));
  return `${banner}
/* What both ends use: src/sys/protocol.ts and src/sys/waiting/time-limits.ts say what each is. */
#ifndef RUNT_PROTOCOL_H
#define RUNT_PROTOCOL_H
${lines.join('\n')}
#endif
`;
}

/** The C code that adds a field of a report to a text. A descriptor is sent beside the text; the caller adds spans. */
function added(field) {
  if (/^[@*]/.test(field)) return [];
  const name = `f_${field.replace('#', '')}`;
  return field.startsWith('#')
    ? [[`uint64_t ${name}`, `text_add_number(t, ${name});\n  text_add_char(t, 0);`]]
    : [[`const char *${name}`, `text_add_field(t, ${name});`]];
}

function reportsHeader({ REPORT }) {
  const encoders = Object.entries(REPORT).map(([kind, fields]) => {
    const parts = fields === '' ? [] : fields.split(' ').flatMap(added);
    const parameters = ['struct text *t', ...parts.map(([parameter]) => parameter)].join(', ');
    const lines = [`text_add_field(t, REPORT_${upper(kind)});`, ...parts.map(([, line]) => line)];
    return `static inline void put_${kind}(${parameters}) {\n  ${lines.join('\n  ')}\n}`;
  });
  return `${banner}
/* The reports to the runtime as text: REPORT in src/sys/protocol.ts says what each is. Comes after
 * native/init/text.h. */
#ifndef RUNT_REPORTS_H
#define RUNT_REPORTS_H
#include "protocol.h"

${encoders.join('\n\n')}

#endif
`;
}

// ── operations ──

/** The operations that runt-init performs, with the fields that cross the wire. */
const byInit = (ops) =>
  Object.entries(ops)
    .filter(([, o]) => o.by === 'init')
    .map(([name, o]) => [
      name,
      { ...o, fields: Object.fromEntries(Object.entries(o.fields).filter(([, type]) => type !== 'note')) },
    ]);
/** mountFs → op_mount_fs, the C function that performs it. */
const performer = (name) => `op_${upper(name).toLowerCase()}`;

function opsHeader(ops) {
  const init = byInit(ops);
  const codes = init.map(([n, o]) => `  OP_${upper(n)} = ${o.code}, /* ${comment(o.doc)} */`).join('\n');
  const fields = init
    .filter(([, o]) => Object.keys(o.fields).length > 0)
    .map(
      ([n, o]) =>
        `enum { ${Object.keys(o.fields)
          .map((f, i) => `${upper(n)}_${upper(f)} = ${i}`)
          .join(', ')} };`,
    )
    .join('\n');
  const kinds = {
    str: 's',
    int: 'i',
    bool: 'b',
    flags: 'f',
    fd: 'd',
    list: 'l',
    'int[]': 'n',
    'flags[]': 'm',
    'range[]': 'r',
  };
  const letter = (type) => (type.endsWith('?') ? kinds[type.slice(0, -1)].toUpperCase() : kinds[type]);
  const shapes = init
    .map(([n, o]) => `    {${o.code}, "${n}", "${Object.values(o.fields).map(letter).join('')}"},`)
    .join('\n');
  const most = Math.max(...init.map(([, o]) => Object.keys(o.fields).length));
  return `${banner}
#ifndef RUNT_OPS_H
#define RUNT_OPS_H
#include <stdint.h>

/* Operations of the plan that runt-init performs. */
enum op_code {
${codes}
};

/* Indices of the fields of each operation. */
${fields}

/* The most fields that an operation has. */
enum { OP_FIELDS_MAX = ${most} };

/* fields: one letter for each: s string, i integer, b boolean, f flags, d slot; l list of strings, n of integers,
 * m of flags, r of pairs first, last; a capital letter for a field that may be absent. Arrays, not pointers: a
 * position-independent program relocates each pointer when it starts. */
struct op_shape {
  uint16_t code;
  char name[${Math.max(...init.map(([n]) => n.length)) + 1}];
  char fields[OP_FIELDS_MAX + 1];
};

static const struct op_shape op_shapes[] = {
${shapes}
};

/* The functions that perform the operations: 0, or -1 after fail(). */
struct op;
${init.map(([n]) => `int ${performer(n)}(const struct op *op);`).join('\n')}

#endif
`;
}

/** An operation without a C function does not link. A switch, because a table of pointers would be relocated. */
function dispatchHeader(ops) {
  return `${banner}
#ifndef RUNT_DISPATCH_H
#define RUNT_DISPATCH_H
#include "ops.h"

/* Performs one operation: 0, or -1 after fail(). */
static inline int dispatch(enum op_code code, const struct op *op) {
  switch (code) {
${byInit(ops)
  .map(([n]) => `  case OP_${upper(n)}:\n    return ${performer(n)}(op);`)
  .join('\n')}
  }
  __builtin_trap(); /* plan_open refuses every other code */
}

#endif
`;
}

/** A field of the operation `o`, as an expression in a template. */
function encodedField(name, type) {
  const value = `o.${name}`;
  switch (type) {
    case 'str':
    case 'int':
    case 'flags':
    case 'fd':
      return value;
    case 'str?':
    case 'int?':
    case 'fd?':
      return `${value} ?? ''`;
    case 'bool':
      return `${value} ? 1 : 0`;
    case 'range[]':
      return `list(w, ${value}.flat(), ${value}.length)`;
    case 'list':
    case 'int[]':
    case 'flags[]':
      return `${value}.length === 0 ? 0 : sharedList(w, ${value})`;
    default:
      throw new Error(`a field of the type ${type} cannot be encoded`);
  }
}

/**
 * The encoders of the operations: functions of one template each. A loop over the names of the fields takes QuickJS
 * five times as long.
 */
function opEncoders(ops) {
  const encoders = byInit(ops).map(([name, o]) => {
    const fields = Object.entries(o.fields);
    const values = ['i', ...fields.map(([field, type]) => encodedField(field, type))];
    const slots = fields
      .filter(([, type]) => type === 'fd' || type === 'fd?')
      .map(([field, type]) => {
        const present = type === 'fd?' ? `o.${field} !== undefined && ` : '';
        return `    if (${present}o.${field} >= w.slots) w.slots = o.${field} + 1;\n`;
      });
    const parts = [o.code, ...values.map((value) => `\${${value}}`)];
    return `  ${name}(o, i, w) {\n    w.fields += ${parts.length};\n${slots.join('')}    return \`${parts.map((part) => `${part}\\x00`).join('')}\`;\n  },`;
  });
  return `${banner}
/** A list without its last NUL: the number of its elements, then its items. */
function list(w, items, count) {
  w.fields += items.length;
  return count === 0 ? 0 : \`\${count}\\x00\${items.join('\\0')}\`;
}

/** A list that is not empty. Mounts of one kind have the same one. */
function sharedList(w, items) {
  const known = w.lists.get(items);
  if (known === undefined) {
    const encoded = list(w, items, items.length);
    w.lists.set(items, encoded);
    return encoded;
  }
  w.fields += items.length;
  return known;
}

export const encoders = {
${encoders.join('\n')}
};
`;
}

const opEncoderTypes = `${banner}
/** What the encoders find out. */
export interface Encoding {
  /** The number of slots that the plan's table of descriptors must have. */
  slots: number;
  /** The number of encoded fields, and items of lists. */
  fields: number;
  /** The encoded lists. */
  readonly lists: Map<readonly unknown[], string>;
}
/** The fields of an operation, each ended by NUL. i is its index in the plan. */
export type OpEncoder = (o: object, i: number, w: Encoding) => string;
/** By the name of an operation that runt-init performs. */
export declare const encoders: { readonly [name: string]: OpEncoder | undefined };
`;

function checkOps(ops) {
  const seen = new Map();
  for (const [name, o] of Object.entries(ops)) {
    if (o.by !== 'init') continue;
    if (seen.has(o.code)) throw new Error(`operations ${seen.get(o.code)} and ${name} have the same code ${o.code}`);
    seen.set(o.code, name);
  }
}

mkdirSync(out, { recursive: true });
const [{ abi }, protocol, limits, { ops }] = await Promise.all(
  ['src/sys/abi.ts', 'src/sys/protocol.ts', 'src/sys/waiting/time-limits.ts', 'src/plan/plan-ops.ts'].map(load),
);
checkOps(ops);
put('abi.h', abiHeader(abi));
put('quickjs-abi.c', abiQuickjs(abi));
put('protocol.h', protocolHeader(protocol, limits));
put('reports.h', reportsHeader(protocol));
put('ops.h', opsHeader(ops));
put('dispatch.h', dispatchHeader(ops));
put('op-encoders.js', opEncoders(ops));
put('op-encoders.d.ts', opEncoderTypes);
