/** Random configs, valid and nearly valid, made from the schema of config.json. */
import fc from 'fast-check';
import { defaultConfig, withUserNamespace } from '../integration/bed/config.js';

/** The parts of JSON Schema that schemas/config.schema.json uses. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** Values that strings of a name have; a schema says only that they are strings. */
const texts: Readonly<Record<string, readonly string[]>> = {
  path: ['/dev/fuse', '/x', '/proc/7/ns/net', 'x', '/x/../y', ''],
  destination: ['/', '/x', '/proc', '/dev/shm', 'x', '/x/../../y', '/proc/self'],
  source: ['/srv', 'tmpfs', 'proc', '', './x'],
  options: [
    'bind',
    'rbind',
    'ro',
    'rro',
    'nosuid',
    'private',
    'rslave',
    'idmap',
    'mode=755',
    'size=1m',
    'remount',
    '',
    'x=',
  ],
  cwd: ['/', '/home', 'x', ''],
  args: ['/bin/sh', '-c', '', 'ä'],
  env: ['A=b', 'PATH=/bin', 'A', '=', 'A='],
  names: ['read', 'openat', 'socket', 'no_such_call', ''],
  cgroupsPath: ['/x', 'x/y', '/', '/../x', 'a:b:c', ''],
  hostname: ['x', 'a.b', '', 'x'.repeat(65)],
  ociVersion: ['1.0.2', '1.3.0', '2.0.0', '1', 'x'],
  cpus: ['0', '0-3,7', '3-0', 'x', ''],
  mems: ['0', '0-1', ''],
  nodes: ['0', '0-1', 'x'],
  closID: ['x', 'info', '..', '/x'],
  options2: [],
};
const others = [
  '',
  'x',
  '/x',
  '0',
  'a b',
  'ä',
  'a\0b',
  '../x',
  'net.ipv4.ip_forward',
  'c',
  '64KB',
  'memory.high',
  '8:0',
];
const numbers = [
  0,
  1,
  7,
  100,
  1000,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  -1,
  -1000,
  2 ** 53 - 1,
  1.5,
];
const foreign: readonly unknown[] = [null, true, 0, -1, '', 'x', [], {}, [null], { x: 1 }];

/** Builds arbitraries for the nodes of a schema. */
class Nodes {
  readonly #known = new Map<Schema, fc.Arbitrary<unknown>>();

  constructor(readonly root: Schema) {}

  resolved(schema: Schema): Schema {
    if (!schema.$ref) return schema;
    const path = schema.$ref.replace(/^#\//, '').split('/');
    return this.resolved(
      path.reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], this.root) as Schema,
    );
  }

  /** A value of the node; one in sixteen is of another kind. */
  value(schema: Schema, name: string, depth: number): fc.Arbitrary<unknown> {
    const arbitrary = fc.oneof(
      { weight: 15, arbitrary: this.#valid(this.resolved(schema), name, depth) },
      { weight: 1, arbitrary: fc.constantFrom(...foreign) },
    );
    if (depth > 0) return arbitrary;
    const known = this.#known.get(schema) ?? arbitrary;
    this.#known.set(schema, known);
    return known;
  }

  #valid(schema: Schema, name: string, depth: number): fc.Arbitrary<unknown> {
    const either = schema.anyOf ?? schema.oneOf;
    if (either && !schema.properties)
      return fc.oneof(...either.map((one) => this.#valid(this.resolved(one), name, depth)));
    if (schema.allOf && !schema.properties && !schema.type)
      return this.#valid(this.resolved(schema.allOf[0]!), name, depth);
    if (schema.enum) return fc.constantFrom(...schema.enum);
    if (schema.const !== undefined) return fc.constant(schema.const);
    const type = typeof schema.type === 'string' ? schema.type : schema.type?.[0];
    switch (type ?? (schema.properties ? 'object' : 'string')) {
      case 'object':
        return this.#object(schema, depth);
      case 'array': {
        const minLength = schema.minItems ?? 0;
        const item = depth > 6 ? fc.constant('x') : this.value(schema.items ?? {}, name, depth + 1);
        return fc.array(item, { minLength, maxLength: minLength + 3 });
      }
      case 'boolean':
        return fc.boolean();
      case 'integer':
      case 'number':
        return fc.oneof(
          {
            weight: 6,
            arbitrary: fc.constantFrom(
              ...numbers.filter((n) => n >= (schema.minimum ?? n) && n <= (schema.maximum ?? n) && Number.isInteger(n)),
              schema.minimum ?? 0,
            ),
          },
          { weight: 1, arbitrary: fc.constantFrom(...numbers) },
        );
      default:
        return fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom(...(texts[name] ?? others)) },
          { weight: 1, arbitrary: fc.constantFrom(...others) },
          { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: 'binary' }) },
        );
    }
  }

  #object(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const properties = Object.entries(schema.properties ?? {});
    if (properties.length === 0) {
      const item = schema.additionalProperties ?? Object.values(schema.patternProperties ?? {})[0];
      const value = typeof item === 'object' ? this.value(item, 'value', depth + 1) : fc.constantFrom(...others);
      return fc.dictionary(fc.constantFrom(...others, 'org.x'), value, { maxKeys: 3 });
    }
    const few = depth > 1 ? 2 : 4;
    // Only some properties, so that one refusal does not hide the others.
    return fc.shuffledSubarray(properties, { maxLength: Math.min(few, properties.length) }).chain((chosen) => {
      const names = new Set([...chosen.map(([name]) => name), ...(schema.required ?? [])]);
      const model = Object.fromEntries(
        properties.filter(([name]) => names.has(name)).map(([name, node]) => [name, this.value(node, name, depth + 1)]),
      );
      const requiredKeys = fc.option(fc.constant(schema.required ?? []), { freq: 15, nil: [] });
      return requiredKeys.chain((keys) =>
        fc.record(model, {
          requiredKeys: [...new Set([...keys, ...chosen.map(([name]) => name)])].filter((key) => key in model),
        }),
      );
    });
  }
}

/** Paths of the config at which a value of the schema is put, with their nodes. */
function targets(nodes: Nodes): { readonly path: readonly string[]; readonly node: Schema }[] {
  const found: { path: string[]; node: Schema }[] = [];
  const walk = (schema: Schema, path: string[]): void => {
    const { properties } = nodes.resolved(schema);
    for (const [name, node] of Object.entries(properties ?? {})) {
      const next = [...path, name];
      found.push({ path: next, node });
      if (next.length < 4) walk(node, next);
    }
  };
  walk(nodes.root, []);
  return found.filter(({ path }) => !['solaris', 'windows', 'vm', 'zos', 'freebsd'].includes(path[0]!));
}

/** A config: a default one in which a few values are replaced. */
export function configs(schema: unknown): fc.Arbitrary<Record<string, unknown>> {
  const nodes = new Nodes(schema as Schema);
  const all = targets(nodes);
  const changes = fc.array(
    fc
      .constantFrom(...all)
      .chain(({ path, node }) => fc.record({ path: fc.constant(path), value: nodes.value(node, path.at(-1)!, 1) })),
    { minLength: 1, maxLength: 4 },
  );
  return fc.tuple(fc.boolean(), changes).map(([user, list]) => {
    const config = (user ? withUserNamespace(defaultConfig()) : defaultConfig()) as unknown as Record<string, unknown>;
    // Changes may go into values of other changes, which are shared.
    for (const { path, value } of list) put(config, path, structuredClone(value));
    return config;
  });
}

function put(config: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = config;
  for (const name of path.slice(0, -1)) {
    const next = at[name];
    if (typeof next !== 'object' || next === null || Array.isArray(next)) at[name] = {};
    at = at[name] as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}
