/**
 * Validators of the schemas, made at build time: compiling a schema at run time would cost more than creating a
 * container.
 *
 * Writes to build/gen, each with a .d.ts:
 *   validate-{config,platforms,features,state}.js   ajv standalone code, ES modules, without imports
 *   fields.js   the 64-bit integers of config.json
 *   keys.js     the known keys of config.json, for `validate --strict`
 *   names.js    the names that some of its fields accept, for `features`
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { transform } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'build/gen');
mkdirSync(out, { recursive: true });

/** A validator stops after as many errors as are listed (`MAX_FINDINGS` of src/spec/judge/findings.ts). */
const MOST = 100;

const schemas = Object.fromEntries(
  ['config', 'platforms', 'features', 'state'].map((name) => [
    name,
    JSON.parse(readFileSync(join(root, 'schemas', `${name}.schema.json`), 'utf8')),
  ]),
);

for (const [name, schema] of Object.entries(schemas)) {
  // No messages: src/spec/judge/schema-violations.ts writes them. No inlined references: one function per definition.
  const ajv = new Ajv.default({
    allErrors: true,
    messages: false,
    inlineRefs: false,
    unicodeRegExp: false,
    code: { source: true, esm: true, lines: false, optimize: 2 },
  });
  const code = standaloneCode.default(ajv, ajv.compile(schema));
  const text = (await transform(shrink(code), { format: 'esm', target: 'es2022', minify: true })).code;
  if (/\brequire\s*\(/.test(text)) throw new Error(`validate-${name}.js still calls require`);
  write(
    `validate-${name}`,
    text,
    `/** One violation as ajv reports it. */
export interface SchemaError {
  instancePath: string;
  keyword: string;
  /** For an error about a key of a map: the key. */
  propertyName?: string;
  params: Record<string, unknown>;
}
declare const validate: {
  (data: unknown): boolean;
  /** Of the last document, the first ${MOST}. */
  errors?: SchemaError[];
  /** Whether there are more. */
  more?: boolean;
};
export default validate;
`,
  );
}

/**
 * Halves ajv's code: omits what nothing reads (schema texts, paths inside the schema, parent and root data, which only
 * keywords of ajv's users need), and moves the appending of an error into one function.
 *
 * Ajv makes a list of errors in each function and joins them going up, with a copy for each bad entry of a list: n of
 * them cost n². Here all functions append to one list, and the validator stops when it is full.
 *
 * Nearly all documents are valid, and need no path. So the first round has the path '', which stays '', and stops at
 * the first error. Only then a second one makes the paths and the errors: below '#', which append removes.
 */
function shrink(code) {
  const short = code
    .replaceAll(/const (schema\d+) = \{.*?\};(?=const |function |export |$)/gs, (all, name, at) => {
      const rest = code.slice(0, at) + code.slice(at + all.length);
      return new RegExp(`\\b${name}\\b`).test(rest) ? all : '';
    })
    .replaceAll(/schemaPath:"[^"]*",/g, '')
    .replaceAll(/,\s*parentData:[^,]+,\s*parentDataProperty:[^,]+,\s*rootData(?=\})/g, '')
    .replaceAll(/,\s*parentData,\s*parentDataProperty,\s*rootData=data(?=\}=\{\})/g, '')
    .replaceAll('{instancePath=""}={}', 'instancePath')
    .replaceAll(
      /\b(validate\d+\(\w+(?:\.\w+|\[\w+\])?,\s*)\{instancePath:?([^{}]*)\}\)/g,
      (_, call, path) => `${call}${path ? `instancePath&&${path}` : 'instancePath'})`,
    )
    .replaceAll('Array.isArray(', 'isArray(')
    .replaceAll(
      /const (err\d+) = (\{.*?\});if\(vErrors === null\)\{vErrors = \[\1\];\}else \{vErrors\.push\(\1\);\}errors\+\+;/gs,
      // A key has two errors: from the rule that it violates, which is more precise, and from propertyNames.
      (_, _name, error) => (error.includes('keyword:"propertyNames"') ? '' : `${appended(error)};errors++;`),
    )
    .replaceAll(
      /vErrors = vErrors === null \? (validate\d+)\.errors : vErrors\.concat\(\1\.errors\);errors = vErrors\.length;/g,
      'errors++;',
    )
    .replaceAll(/let vErrors = null;|validate\d+\.errors = vErrors;/g, '')
    .replace(/export const validate = (validate\d+);export default \1;/, 'const root = $1;export default validate;')
    // Each call takes as long as ten comparisons, and each integer had five. NaN is refused as it is not finite.
    .replaceAll(/\(!\((\w+) % 1\) && !isNaN\(\1\)\)\) && \(isFinite\(\1\)\)/g, '($1 % 1 === 0))')
    .replaceAll(/\(isFinite\((\w+)\)\)/g, '($1 - $1 === 0)')
    .replaceAll(/ \|\| isNaN\(\w+\)/g, '')
    // Ajv's only run-time helper in use counts code points, for minLength. Each is 1, which needs no count.
    .replaceAll('require("ajv/dist/runtime/ucs2length").default', '(text) => text.length');
  for (const [, keyword, limit] of code.matchAll(/keyword:"(minLength|maxLength)",params:\{limit: ?(\d+)/g))
    if (keyword !== 'minLength' || limit !== '1') throw new Error(`${keyword} ${limit} needs a count of code points`);
  const append = `const enough = {};
  const { isArray } = Array;
  let found = [];
  function append(instancePath, keyword, params, propertyName) {
    if (!instancePath.startsWith('#') || found.length === ${MOST}) throw enough;
    found.push({ instancePath: instancePath.slice(1), keyword, params, propertyName });
  }
  function round(data, path) {
    try {
      return root(data, path);
    } catch (error) {
      if (error !== enough) throw error;
      return undefined;
    }
  }
  function validate(data) {
    validate.errors = found = [];
    validate.more = false;
    if (round(data, '')) return true;
    validate.more = round(data, '#') === undefined;
    return false;
  }`;
  if (short.includes('vErrors') || !short.includes('const root = ')) throw new Error('ajv joins errors in a new way');
  if (/isNaN|isFinite/.test(short)) throw new Error('ajv compares numbers in a new way');
  // A call in another form would pass an object where a path is expected.
  if (short.includes('{instancePath')) throw new Error('ajv calls its functions in a new way');
  return `${append}\n${short}`;
}

/** The literal of an error as arguments of `append`: shorter in bytecode than an object each. */
function appended(error) {
  const parts =
    /^\{instancePath(?<path>:.*?)?,keyword:(?<keyword>"\w+"),params:(?<params>\{[^{}]*\})(?<name>,propertyName:\s*\w+)?\}$/.exec(
      error,
    );
  if (!parts) throw new Error(`ajv writes errors in a new way: ${error}`);
  const { path = ':instancePath', keyword, params, name = '' } = parts.groups;
  return `append(${path.slice(1)},${keyword},${params}${name.replace('propertyName:', '')})`;
}

/** Walks a schema: calls `visit(path, definition)` for each reference; `*` stands for an index or a free key. */
function walk(schema, path, visit, seen = []) {
  if (schema.$ref) {
    const name = schema.$ref.slice('#/definitions/'.length);
    if (seen.includes(name)) throw new Error(`recursive definition ${name}`);
    visit(path, name);
    walk(schemas.config.definitions[name], path, visit, [...seen, name]);
    return;
  }
  for (const [key, sub] of Object.entries(schema.properties ?? {})) walk(sub, `${path}/${key}`, visit, seen);
  if (schema.items) walk(schema.items, `${path}/*`, visit, seen);
  if (typeof schema.additionalProperties === 'object') {
    for (const key of schema.propertyNames?.enum ?? ['*'])
      walk(schema.additionalProperties, `${path}/${key}`, visit, seen);
  }
}

const fields = { uint64: [], int64: [] };
walk(schemas.config, '', (path, name) => fields[name]?.push(path));
// hooks[].timeout has its own minimum
for (const hook of Object.keys(schemas.config.definitions.hooks.properties))
  fields.int64.push(`/hooks/${hook}/*/timeout`);
write(
  'fields',
  `export const uint64=${JSON.stringify(fields.uint64.join(' '))},int64=${JSON.stringify(fields.int64.join(' '))};\n`,
  `/** JSON pointers of 64-bit integers, separated by spaces; \`*\` is any index. */
export declare const uint64: string;
export declare const int64: string;
`,
);

/**
 * The known keys: a definition is an object of key → what is below it. 0: nothing with keys; `name`: a definition;
 * `[name]`: a list or map with such entries.
 */
function below(schema) {
  if (schema === true) return 0;
  if (schema.$ref) {
    const name = schema.$ref.slice('#/definitions/'.length);
    const target = schemas.config.definitions[name];
    return target.properties ? name : below(target);
  }
  const entry = schema.items ?? schema.additionalProperties;
  if (typeof entry !== 'object') return 0;
  const inner = below(entry);
  if (Array.isArray(inner)) throw new Error('lists of lists have no notation');
  return inner === 0 ? 0 : [inner];
}
const keys = {};
for (const [name, schema] of Object.entries({ '': schemas.config, ...schemas.config.definitions })) {
  if (!schema.properties) continue;
  keys[name] = Object.fromEntries(Object.entries(schema.properties).map(([key, sub]) => [key, below(sub)]));
}
write(
  'keys',
  (await transform(`export const keys = ${JSON.stringify(keys)};`, { minify: true })).code,
  `/** What is below a key: 0 nothing with known keys, a name one object of that definition, [name] a list or map of them. */
export type Below = 0 | string | readonly [string];
/** The known keys of each definition of schemas/config.schema.json; the top level is ''. */
export declare const keys: Readonly<Record<string, Readonly<Record<string, Below>>>>;
`,
);

const { seccomp, seccompAction, seccompArg, memoryPolicy } = schemas.config.definitions;
const names = {
  actions: seccompAction.enum,
  operators: seccompArg.properties.op.enum,
  archs: seccomp.properties.architectures.items.enum,
  memoryModes: memoryPolicy.properties.mode.enum,
  memoryFlags: memoryPolicy.properties.flags.items.enum,
};
write(
  'names',
  `export const names=${JSON.stringify(names)};\n`,
  `/** The names that schemas/config.schema.json has. */
export declare const names: { readonly [field in ${Object.keys(names)
    .map((name) => `'${name}'`)
    .join(' | ')}]: readonly string[] };
`,
);

function write(name, js, dts) {
  writeFileSync(join(out, `${name}.js`), js);
  writeFileSync(join(out, `${name}.d.ts`), dts);
}
