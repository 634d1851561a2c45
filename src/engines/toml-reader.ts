/** Reader of TOML 1.0 (https://toml.io/en/v1.0.0), for the configs of containerd, CRI-O and podman. */
import { RuntError } from '../sys/error.js';

/** Dates and times are strings, as they are written. */
export type TomlValue = string | number | boolean | TomlValue[] | TomlTable;
export interface TomlTable {
  [key: string]: TomlValue;
}

export const isTable = (value: TomlValue | undefined): value is TomlTable =>
  typeof value === 'object' && !Array.isArray(value);

/** The value at a path of keys; undefined if there is none. */
export function at(table: TomlTable, ...keys: readonly string[]): TomlValue | undefined {
  let value: TomlValue | undefined = table;
  for (const key of keys) value = isTable(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

/** @param name name of the file in the error. @throws RuntError ERR_ENGINE_CONFIG with the line of a mistake */
export function parseToml(text: string, name: string): TomlTable {
  return new Reader(text, name).document();
}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
};
const newTable = (): TomlTable => Object.create(null) as TomlTable;

/** Arrays and inline tables in each other; none of the engines needs more than a few. */
const MAX_DEPTH = 100;

class Reader {
  private position = 0;
  private depth = 0;
  /** Tables of a header `[a]`, which may not come twice. */
  private readonly headed = new Set<TomlTable>();
  /** Inline tables and arrays, to which nothing is added. */
  private readonly closed = new Set<TomlValue>();

  constructor(
    private readonly text: string,
    private readonly name: string,
  ) {}

  document(): TomlTable {
    const root = newTable();
    let current = root;
    // Editors of other systems begin a file with a byte order mark.
    this.take('\ufeff');
    for (;;) {
      this.skipLines();
      if (this.position >= this.text.length) return root;
      if (this.peek() === '[') current = this.header(root);
      else this.pair(current);
      this.endOfLine();
    }
  }

  private header(root: TomlTable): TomlTable {
    const isList = this.text.startsWith('[[', this.position);
    this.position += isList ? 2 : 1;
    const keys = this.keys();
    this.expect(isList ? ']]' : ']');
    const last = keys.pop()!;
    const above = this.walk(root, keys);
    const found = Object.hasOwn(above, last) ? above[last] : undefined;
    if (isList) {
      const list = found ?? [];
      if (!Array.isArray(list) || this.closed.has(list)) throw this.mistake(`${last} is not an array of tables`);
      const table = newTable();
      list.push(table);
      above[last] = list;
      return table;
    }
    const table = found ?? newTable();
    if (!isTable(table) || this.closed.has(table) || this.headed.has(table))
      throw this.mistake(`${[...keys, last].join('.')} is there twice`);
    this.headed.add(table);
    above[last] = table;
    return table;
  }

  /** The table at `keys`, made where it is missing; the last one of an array of tables. */
  private walk(from: TomlTable, keys: readonly string[]): TomlTable {
    let table = from;
    for (const key of keys) {
      if (!Object.hasOwn(table, key)) table[key] = newTable();
      const found = table[key]!;
      const next = Array.isArray(found) && !this.closed.has(found) ? found.at(-1) : found;
      if (!isTable(next) || this.closed.has(next)) throw this.mistake(`${key} is not a table`);
      table = next;
    }
    return table;
  }

  private pair(table: TomlTable): void {
    const keys = this.keys();
    this.expect('=');
    this.skipBlanks();
    const value = this.value();
    const last = keys.pop()!;
    const above = this.walk(table, keys);
    if (Object.hasOwn(above, last)) throw this.mistake(`${[...keys, last].join('.')} is there twice`);
    above[last] = value;
  }

  private keys(): string[] {
    const keys: string[] = [];
    do {
      this.skipBlanks();
      const quote = this.peek();
      if (quote === '"' || quote === "'") keys.push(this.string());
      else {
        const word = /^[A-Za-z0-9_-]+/.exec(this.text.slice(this.position, this.position + 256))?.[0];
        if (word === undefined) throw this.mistake('a key is missing');
        this.position += word.length;
        keys.push(word);
      }
      this.skipBlanks();
    } while (this.take('.'));
    return keys;
  }

  private value(): TomlValue {
    const first = this.peek();
    if (first === '"' || first === "'") return this.string();
    if (first === '[' || first === '{') {
      if (this.depth >= MAX_DEPTH) throw this.mistake(`more than ${MAX_DEPTH} values are in each other`);
      this.depth++;
      const value = first === '[' ? this.array() : this.inlineTable();
      this.depth--;
      return value;
    }
    // A date may have a space before its time.
    const date = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d[^\s,\]}#]*)?/.exec(
      this.text.slice(this.position, this.position + 64),
    );
    const word = date?.[0] ?? /^[^\s,\]}#]+/.exec(this.text.slice(this.position, this.position + 256))?.[0] ?? '';
    this.position += word.length;
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (date || /^\d\d:\d\d:\d\d/.test(word)) return word;
    const number = this.number(word);
    if (number === undefined)
      throw this.mistake(word === '' ? 'a value is missing' : `${JSON.stringify(word)} is not a value`);
    return number;
  }

  private number(word: string): number | undefined {
    const digits = word.replace(/(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])/g, '');
    if (/^0(?:x[0-9a-fA-F]+|o[0-7]+|b[01]+)$/.test(digits)) return Number(digits);
    if (/^[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(digits)) return Number(digits);
    const special = /^([+-]?)(inf|nan)$/.exec(digits);
    if (!special) return undefined;
    return special[2] === 'nan' ? Number.NaN : special[1] === '-' ? -Infinity : Infinity;
  }

  private string(): string {
    const quote = this.peek();
    const long = this.text.startsWith(quote.repeat(3), this.position);
    this.position += long ? 3 : 1;
    // A line break right after the opening quotes does not count.
    if (long) this.take('\r\n') || this.take('\n');
    const parts: string[] = [];
    for (;;) {
      const c = this.text[this.position];
      if (c === undefined || (!long && c === '\n')) throw this.mistake('a string has no closing quote');
      if (c === quote && (!long || this.text.startsWith(quote.repeat(3), this.position))) {
        this.position += long ? 3 : 1;
        // Up to two quotes may stand before the closing ones.
        for (let more = 0; long && more < 2 && this.take(quote); more++) parts.push(quote);
        return parts.join('');
      }
      this.position++;
      parts.push(c === '\\' && quote === '"' ? this.escape(long) : c);
    }
  }

  private escape(long: boolean): string {
    const rest = this.text.slice(this.position, this.position + 9);
    const hex = /^(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    if (hex) {
      this.position += hex[0].length;
      const code = Number.parseInt((hex[1] ?? hex[2])!, 16);
      if (code > 0x10ffff) throw this.mistake('a string has an unknown escape');
      return String.fromCodePoint(code);
    }
    const plain = escapes[rest[0] ?? ''];
    if (plain !== undefined) {
      this.position++;
      return plain;
    }
    // A backslash at the end of a line joins it to the next word.
    const joined = long ? /^[ \t]*\r?\n\s*/.exec(this.text.slice(this.position)) : null;
    if (!joined) throw this.mistake('a string has an unknown escape');
    this.position += joined[0].length;
    return '';
  }

  private array(): TomlValue[] {
    this.position++;
    const list: TomlValue[] = [];
    for (;;) {
      this.skipLines();
      if (this.take(']')) break;
      list.push(this.value());
      this.skipLines();
      if (this.take(',')) continue;
      this.expect(']');
      break;
    }
    this.closed.add(list);
    return list;
  }

  private inlineTable(): TomlTable {
    this.position++;
    const table = newTable();
    this.skipBlanks();
    if (!this.take('}')) {
      do {
        this.pair(table);
        this.skipBlanks();
      } while (this.take(','));
      this.expect('}');
    }
    this.closed.add(table);
    return table;
  }

  private peek(): string {
    return this.text[this.position] ?? '';
  }

  private take(word: string): boolean {
    if (!this.text.startsWith(word, this.position)) return false;
    this.position += word.length;
    return true;
  }

  private expect(word: string): void {
    this.skipBlanks();
    if (!this.take(word)) throw this.mistake(`"${word}" is missing`);
  }

  private skipBlanks(): void {
    while (this.peek() === ' ' || this.peek() === '\t') this.position++;
  }

  /** Skips blanks, comments and line breaks. */
  private skipLines(): void {
    for (;;) {
      const c = this.peek();
      if (c === '#') this.skipComment();
      else if (c === ' ' || c === '\t' || c === '\n' || c === '\r') this.position++;
      else return;
    }
  }

  private skipComment(): void {
    const end = this.text.indexOf('\n', this.position);
    this.position = end < 0 ? this.text.length : end;
  }

  private endOfLine(): void {
    this.skipBlanks();
    if (this.peek() === '#') this.skipComment();
    this.take('\r');
    if (this.position < this.text.length && !this.take('\n')) throw this.mistake('the line should end here');
  }

  private mistake(problem: string): RuntError {
    const line = this.text.slice(0, this.position).split('\n').length;
    return new RuntError({
      code: 'ERR_ENGINE_CONFIG',
      message: `${this.name}:${line} is not TOML: ${problem}`,
      path: this.name,
      hint: 'correct the file, then run the command again: runt changes no file that it does not understand',
      see: 'https://toml.io/en/v1.0.0',
    });
  }
}
