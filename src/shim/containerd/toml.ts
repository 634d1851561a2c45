/** The subset of TOML for runtime options: a name with a string, a boolean or an integer on each line; no tables. */
import { RuntError } from '../../sys/error.js';

type TomlValue = string | number | boolean;

const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', e: '\x1b' };
const line = /^(?:(?<name>[A-Za-z0-9_-]+)|"(?<quoted>[^"\\]*)"|'(?<literal>[^']*)')\s*=\s*(?<rest>.*)$/;
const string = /^(?:"(?<basic>(?:[^"\\]|\\.)*)"|'(?<literal>[^']*)')\s*(?:#.*)?$/;

/** @throws RuntError ERR_OPTIONS for invalid TOML or a value of another type */
export function parseToml(text: string): ReadonlyMap<string, TomlValue> {
  const values = new Map<string, TomlValue>();
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const trimmed = raw.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const groups = line.exec(trimmed)?.groups;
    if (!groups)
      throw tomlError(i, trimmed, trimmed.startsWith('[') ? 'a table is not allowed here' : 'NAME = VALUE is expected');
    const name = groups.name ?? groups.quoted ?? groups.literal ?? '';
    if (values.has(name)) throw tomlError(i, trimmed, `${name} is given twice`);
    values.set(name, tomlValue(i, trimmed, groups.rest ?? ''));
  }
  return values;
}

function tomlValue(i: number, whole: string, text: string): TomlValue {
  const quoted = /^(?:"""|''')/.test(text) ? undefined : string.exec(text)?.groups;
  if (quoted?.literal !== undefined) return quoted.literal;
  if (quoted?.basic !== undefined) return plainText(i, whole, quoted.basic);
  const plain = text.replace(/#.*$/, '').trim();
  if (plain === 'true' || plain === 'false') return plain === 'true';
  const digits = plain.replace(/(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])/g, '');
  const decimal = /^[+-]?(?:0|[1-9][0-9]*)$/.test(digits);
  const value = decimal || /^0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)$/.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw tomlError(i, whole, 'a string, true, false or an integer is expected');
}

function plainText(i: number, whole: string, text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (_, code: string) => {
    const point = code.length > 1 ? Number.parseInt(code.slice(1), 16) : undefined;
    if (point !== undefined && point <= 0x10ffff) return String.fromCodePoint(point);
    const known = code === '"' || code === '\\' ? code : escapes[code];
    if (known === undefined) throw tomlError(i, whole, `\\${code} is not an escape`);
    return known;
  });
}

const tomlError = (i: number, text: string, why: string): RuntError =>
  new RuntError({ code: 'ERR_OPTIONS', message: `the runtime's options, line ${i + 1}: ${why}`, value: text });
