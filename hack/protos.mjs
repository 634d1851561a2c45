/**
 * Messages of proto/ as code, generated at build time by protobufjs: build/gen/protos.js and a module for each entry of
 * `parts`, ES modules that need protobufjs/minimal, each with its .d.ts. Nothing reads a descriptor at run time: those
 * in descriptors.js are only for clients that request them (gRPC's reflection).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor/index.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const all = readdirSync(join(root, 'proto'))
  .filter((f) => f.endsWith('.proto'))
  .sort()
  .map((f) => join(root, 'proto', f));
const pathOf = (name) => join(root, `proto/${name}.proto`);
const parts = Object.entries({
  criu: ['criu'],
  grpc: ['reflection'],
  // Of the server that drives pods.
  pods: ['sandbox', 'sandbox-types', 'pod'],
  // Of its keeper.
  streams: ['streaming', 'transfer'],
  // The API for scripts.
  runt: ['runt', 'health', 'status'],
}).map(([part, names]) => [part, names.map(pathOf)]);
const inParts = parts.flatMap(([, files]) => files);
const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const tool = (name, ...args) =>
  execFileSync(process.execPath, [join(root, 'node_modules/protobufjs-cli/bin', name), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });

for (const [name, sources] of [['protos', all.filter((f) => !inParts.includes(f))], ...parts]) {
  const out = join(root, 'build/gen', name);
  if ([...sources, fileURLToPath(import.meta.url)].every((f) => time(f) <= time(`${out}.d.ts`))) continue;
  const leave = ['verify', 'convert', 'delimited', 'create', 'typeurl', 'service', 'beautify'].map((w) => `--no-${w}`);
  // Numbers, exact up to 2^53, because there is no Long. Larger ones are written as {low, high}
  // (src/shim/transport/protos.ts).
  const names = name === 'criu' ? ['--keep-case'] : [];
  // A separate root: two modules that share one would overwrite each other's messages.
  tool(
    'pbjs',
    '-t',
    'static-module',
    '-w',
    'es6',
    '-r',
    name,
    ...names,
    ...leave,
    '--force-number',
    '-o',
    `${out}.js`,
    ...sources,
  );
  tool('pbts', '--no-comments', '-o', `${out}.d.ts.tmp`, `${out}.js`);
  // Only needed with Long.
  writeFileSync(`${out}.d.ts.tmp`, readFileSync(`${out}.d.ts.tmp`, 'utf8').replace(/^import Long.*\n/gm, ''));
  renameSync(`${out}.d.ts.tmp`, `${out}.d.ts`);
}

/** The entries of a map are a message whose name follows from that of the field: some_map, SomeMapEntry. */
function nameMaps(message) {
  for (const entry of message.nestedType ?? []) {
    const field = entry.options?.mapEntry && message.field.find(({ typeName }) => typeName?.endsWith(entry.name));
    if (!field) continue;
    const name = `${field.name.replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase())}Entry`;
    field.typeName = field.typeName.slice(0, -entry.name.length) + name;
    entry.name = name;
  }
}

// Services with their methods, and a file for each package that they need. Version 2 has the same messages under
// another name.
const descriptors = join(root, 'build/gen/descriptors');
// The services, the response of Stats, the options of Create, and the report of Pids about an exec.
const described = ['task', 'cgroup1', 'cgroup2', 'options', 'runt', 'health', 'sandbox', 'streaming', 'transfer'].map(
  pathOf,
);
if (
  ![...described, ...['types', 'sandbox-types'].map(pathOf), fileURLToPath(import.meta.url)].every(
    (f) => time(f) <= time(`${descriptors}.d.ts`),
  )
) {
  const tree = new protobuf.Root().loadSync(described, { keepCase: true }).resolveAll();
  const packages = ['containerd.task.v3', 'containerd.types', 'google.protobuf'];
  const answers = ['io.containerd.cgroups.v1', 'io.containerd.cgroups.v2', 'containerd.runc.v1'];
  const alone = ['runt.v1', 'grpc.health.v1', 'containerd.services.sandbox.v1'];
  const streams = ['containerd.services.streaming.v1', 'containerd.types.transfer'];
  const fileOf = (name) => `${name.replaceAll('.', '/')}.proto`;
  const made = tree
    .toDescriptor('proto3')
    .file.filter((f) => [...packages, ...answers, ...alone, ...streams].includes(f.package));
  const dependencies = {
    'containerd.task.v3': packages.slice(1),
    'containerd.types': packages.slice(2),
    'runt.v1': packages.slice(2),
    'containerd.services.sandbox.v1': packages.slice(1),
    'containerd.services.streaming.v1': packages.slice(2),
  };
  const files = made.map((f) => {
    f.name = fileOf(f.package);
    for (const message of f.messageType) nameMaps(message);
    f.dependency = (dependencies[f.package] ?? []).map(fileOf);
    const symbols = [...f.messageType, ...f.enumType, ...f.service].map(({ name }) => `${f.package}.${name}`);
    for (const s of f.service) for (const m of s.method) symbols.push(`${f.package}.${s.name}.${m.name}`);
    return {
      name: f.name,
      dependencies: f.dependency,
      symbols,
      descriptor: Buffer.from(f.constructor.encode(f).finish()).toString('base64'),
    };
  });
  writeFileSync(`${descriptors}.js`, `export const files = ${JSON.stringify(files)};\n`);
  writeFileSync(
    `${descriptors}.d.ts`,
    'export const files: readonly { readonly name: string; readonly dependencies: readonly string[]; readonly symbols: readonly string[]; readonly descriptor: string }[];\n',
  );
}
