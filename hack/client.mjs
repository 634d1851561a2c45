/**
 * The client of the API for scripts, generated of proto/runt.proto and proto/health.proto: build/gen/client.js (the
 * messages, by pbjs) and build/gen/client-methods.js with its .d.ts (the services, and the types that users see).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ['runt', 'health', 'status'].map((name) => join(root, `proto/${name}.proto`));
const out = join(root, 'build/gen/client-methods');
const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** Types of fields; Timestamp becomes a Date (src/library/client.ts). */
const scalars = {
  string: 'string',
  bool: 'boolean',
  bytes: 'Uint8Array',
  double: 'number',
  uint32: 'number',
  int32: 'number',
  uint64: 'number',
  '.google.protobuf.Timestamp': 'Date',
};

const lowerFirst = (name) => name[0].toLowerCase() + name.slice(1);
const doc = (comment, indent = '') => {
  if (!comment) return '';
  const lines = comment.split('\n').map((line) => ` ${line}`.trimEnd());
  return lines.length === 1
    ? `${indent}/**${lines[0]} */\n`
    : `${indent}/**\n${lines.map((line) => `${indent} *${line}\n`).join('')}${indent} */\n`;
};
/** Message in a message: OuterInner. A type Error would hide JavaScript's. */
const nameOf = (type) =>
  (type.parent instanceof protobuf.Type ? nameOf(type.parent) : '') +
  (type.name === 'Error' ? 'ErrorDetails' : type.name);

/** The text of all types that a message needs, by name. */
class Types {
  texts = new Map();

  /** @param isRequest all fields are optional; those of responses always have values */
  add(type, isRequest) {
    const name = nameOf(type);
    const known = this.texts.get(name);
    if (known) {
      if (known.isRequest !== isRequest) throw new Error(`${name} is part of requests and of responses`);
      return name;
    }
    this.texts.set(name, { isRequest, text: '' });
    this.texts.get(name).text =
      type instanceof protobuf.Enum ? this.enumText(name, type) : this.messageText(name, type, isRequest);
    return name;
  }

  enumText(name, { comment, values }) {
    const names = Object.keys(values).map((value) => `'${value}'`);
    return `${doc(comment)}export type ${name} = ${names.join(' | ')};\n`;
  }

  messageText(name, type, isRequest) {
    const fields = type.fieldsArray.map((field) => ({ field, text: this.fieldType(field, isRequest) }));
    const line = ({ field, text }, mark) => `${doc(field.comment, '  ')}  readonly ${field.name}${mark}: ${text};\n`;
    const [oneof, more] = type.oneofsArray;
    if (more) throw new Error(`${name} has two oneofs`);
    if (isRequest || !oneof) {
      const optional = (field) => isRequest || field.resolvedType instanceof protobuf.Type;
      const mark = ({ field }) => (optional(field) && !field.repeated ? '?' : isRequest ? '?' : '');
      // An absent message of a response is null.
      const lines = fields.map((f) =>
        !isRequest && mark(f) ? line({ ...f, text: `${f.text} | null` }, '') : line(f, mark(f)),
      );
      const body = lines.length > 0 ? `\n${lines.join('')}` : '';
      return `${doc(type.comment)}export interface ${name} {${body}}\n`;
    }
    if (fields.length !== oneof.fieldsArray.length) throw new Error(`${name} has fields beside its oneof`);
    const variants = fields.map(
      (f) => `{ readonly ${oneof.name}: '${f.field.name}'; readonly ${f.field.name}: ${f.text} }`,
    );
    const each = fields.map((f) => `${f.field.name}: ${f.field.comment}`);
    return `${doc([...(type.comment ? [type.comment] : []), ...each].join('\n'))}export type ${name} =\n  | ${variants.join('\n  | ')};\n`;
  }

  fieldType(field, isRequest) {
    field.resolve();
    const { resolvedType } = field;
    const one =
      scalars[resolvedType ? resolvedType.fullName : field.type] ?? (resolvedType && this.add(resolvedType, isRequest));
    if (!one) throw new Error(`${field.fullName}: ${field.type} has no type in the client`);
    if (field.map) return `{ readonly [key: string]: ${one} }`;
    return field.repeated ? `readonly ${one}[]` : one;
  }
}

function methodText(
  types,
  { name, comment, requestStream, responseStream, resolvedRequestType, resolvedResponseType },
) {
  const request = types.add(resolvedRequestType, true);
  const response = types.add(resolvedResponseType, false);
  const text = doc(comment, '  ');
  if (requestStream) return `${text}  ${lowerFirst(name)}(options?: O): Conversation<${request}, ${response}>;\n`;
  const result = responseStream ? `AsyncIterable<${response}>` : `Promise<${response}>`;
  const isEmpty = resolvedRequestType.fieldsArray.length === 0;
  return `${text}  ${lowerFirst(name)}(request${isEmpty ? '?' : ''}: ${request}, options?: O): ${result};\n`;
}

/** The table of a service's methods, for JavaScript. */
const methodRow = ({ name, parent, requestStream, responseStream, resolvedRequestType, resolvedResponseType }) =>
  `  ${lowerFirst(name)}: { path: '/${parent.fullName.slice(1)}/${name}', request: root${resolvedRequestType.fullName}, ` +
  `response: root${resolvedResponseType.fullName}, requestStream: ${!!requestStream}, responseStream: ${!!responseStream} },\n`;

if (![...sources, fileURLToPath(import.meta.url)].every((f) => time(f) <= time(`${out}.d.ts`))) {
  const leave = ['verify', 'delimited', 'create', 'typeurl', 'service', 'beautify'].map((w) => `--no-${w}`);
  const pbjs = join(root, 'node_modules/protobufjs-cli/bin/pbjs');
  const made = join(root, 'build/gen/client.js');
  const args = ['-t', 'static-module', '-w', 'es6', '-r', 'client', ...leave, '--force-number', '-o', `${made}.tmp`];
  execFileSync(process.execPath, [pbjs, ...args, ...sources], { stdio: ['ignore', 'inherit', 'inherit'] });
  renameSync(`${made}.tmp`, made);

  const tree = new protobuf.Root().loadSync(sources, { alternateCommentMode: true }).resolveAll();
  const types = new Types();
  const services = ['runt.v1.Containers', 'grpc.health.v1.Health'].map((name) => tree.lookupService(name));
  const interfaces = services.map(
    (service) =>
      `${doc(service.comment)}export interface ${service.name}<O> {\n${service.methodsArray.map((m) => methodText(types, m)).join('')}}\n`,
  );
  types.add(tree.lookupType('runt.v1.Error'), false);
  const head = '/** Made by hack/client.mjs of proto/; do not edit. */\n';
  const codec = `export interface Codec {
  encode(message: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
  fromObject(object: object): object;
  toObject(message: object, options: object): object;
}
export interface Method {
  readonly path: string;
  readonly request: Codec;
  readonly response: Codec;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}
export const containers: { readonly [M in keyof Containers<never>]: Method };
export const health: { readonly [M in keyof Health<never>]: Method };
export const status: Codec;
export const errorDetails: Codec;
export const timestamp: Codec;
`;
  const conversation = `/** A call with messages in both directions. */
export interface Conversation<I, O> extends AsyncIterable<O> {
  /** Resolves when there is room for another message. */
  send(message: I): Promise<void>;
  /** Sends no more messages. */
  end(): void;
}
`;
  const texts = [...types.texts.values()].map(({ text }) => text);
  writeFileSync(
    `${out}.js`,
    `${head}import * as root from './client.js';\n` +
      services
        .map((s) => `export const ${lowerFirst(s.name)} = {\n${s.methodsArray.map(methodRow).join('')}};\n`)
        .join('') +
      'export const status = root.google.rpc.Status;\n' +
      'export const errorDetails = root.runt.v1.Error;\n' +
      'export const timestamp = root.google.protobuf.Timestamp;\n',
  );
  writeFileSync(`${out}.d.ts`, head + [conversation, ...interfaces, ...texts, codec].join('\n'));
}
