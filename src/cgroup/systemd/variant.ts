/** D-Bus values, and their GVariant text (docs.gtk.org/glib/gvariant-text.html) in annotations for unit properties. */
import { RuntError } from '../../sys/error.js';

/** A D-Bus value: integers as BigInt, structs and arrays as lists, a dictionary entry as a pair. */
export type Value = boolean | bigint | number | string | Variant | readonly Value[];

export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** A parsed value whose type is not yet known. */
type Node =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string' | 'bool'; readonly text: string }
  | { readonly kind: 'typed'; readonly signature: string; readonly node: Node }
  | { readonly kind: 'array' | 'tuple' | 'entry' | 'dict'; readonly nodes: readonly Node[] }
  | { readonly kind: 'variant'; readonly node: Node };

/** Keywords that set the type of the value after them. */
export const keywords: { readonly [word: string]: string } = {
  boolean: 'b',
  byte: 'y',
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  handle: 'h',
  int64: 'x',
  uint64: 't',
  double: 'd',
  string: 's',
  objectpath: 'o',
  signature: 'g',
};
const ranges: { readonly [signature: string]: readonly [bigint, bigint] } = {
  y: [0n, 255n],
  n: [-(1n << 15n), (1n << 15n) - 1n],
  q: [0n, (1n << 16n) - 1n],
  i: [-(1n << 31n), (1n << 31n) - 1n],
  u: [0n, (1n << 32n) - 1n],
  x: [-(1n << 63n), (1n << 63n) - 1n],
  t: [0n, (1n << 64n) - 1n],
};
const escapes: { readonly [letter: string]: string } = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  a: '\x07',
  v: '\v',
};
/** Deeper than any property of systemd; D-Bus itself allows 64. */
const maxDepth = 16;

/** Reads one value. @throws RuntError ERR_SPEC_VALUE, without a pointer */
export function parseVariant(text: string): Variant {
  const parser = new Parser(text);
  const node = parser.value(0);
  parser.end();
  const signature = typeOf(node);
  return { signature, value: convert(node, signature) };
}

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): Node {
    if (depth > maxDepth) throw variantError(this.text, 'is nested too deep');
    this.space();
    const c = this.text[this.at] ?? '';
    if (c === '[') return { kind: 'array', nodes: this.list(']', depth) };
    if (c === '(') return { kind: 'tuple', nodes: this.list(')', depth) };
    if (c === '{') return { kind: 'dict', nodes: this.entries(depth) };
    if (c === '<') {
      this.at++;
      const node = this.value(depth + 1);
      this.expect('>');
      return { kind: 'variant', node };
    }
    if (c === '@') {
      this.at++;
      const signature = this.word(/[a-zA-Z(){}]/);
      if (!isType(signature)) throw variantError(this.text, `has "@${signature}", which is not a type of D-Bus`);
      return { kind: 'typed', signature, node: this.value(depth + 1) };
    }
    if (c === '"' || c === "'") return { kind: 'string', text: this.quoted(c) };
    const word = this.word(/[A-Za-z0-9+.-]/);
    if (word === 'true' || word === 'false') return { kind: 'bool', text: word };
    if (Object.hasOwn(keywords, word))
      return { kind: 'typed', signature: keywords[word]!, node: this.value(depth + 1) };
    if (/^[+-]?[0-9.]/.test(word)) return { kind: 'number', text: word };
    throw variantError(
      this.text,
      word === ''
        ? 'ends too early, or has a character that cannot begin a value'
        : `has "${word}", which is not a value`,
    );
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) throw variantError(this.text, `has "${this.text.slice(this.at)}" after its end`);
  }

  private list(close: string, depth: number): Node[] {
    const nodes: Node[] = [];
    this.at++;
    for (;;) {
      if (this.accept(close)) return nodes;
      nodes.push(this.value(depth + 1));
      if (this.accept(close)) return nodes;
      this.expect(',');
    }
  }

  private entries(depth: number): Node[] {
    const nodes: Node[] = [];
    this.at++;
    for (;;) {
      if (this.accept('}')) return nodes;
      const key = this.value(depth + 1);
      this.expect(':');
      nodes.push({ kind: 'entry', nodes: [key, this.value(depth + 1)] });
      if (this.accept('}')) return nodes;
      this.expect(',');
    }
  }

  private quoted(quote: string): string {
    let out = '';
    for (this.at++; this.at < this.text.length; this.at++) {
      let c = this.text[this.at]!;
      if (c === quote) {
        this.at++;
        return out;
      }
      if (c === '\\') {
        c = this.text[++this.at] ?? '';
        const digits = c === 'u' ? 4 : c === 'U' ? 8 : 0;
        const code = this.text.slice(this.at + 1, this.at + 1 + digits);
        if (digits > 0) {
          if (!/^[0-9a-fA-F]+$/.test(code) || code.length < digits || Number.parseInt(code, 16) > 0x10ffff) {
            throw variantError(this.text, `has the escape "\\${c}${code}", which is not a character`);
          }
          c = String.fromCodePoint(Number.parseInt(code, 16));
          this.at += digits;
        } else c = escapes[c] ?? c;
      }
      out += c;
    }
    throw variantError(this.text, `has a string without its closing ${quote}`);
  }

  private word(letters: RegExp): string {
    const start = this.at;
    while (this.at < this.text.length && letters.test(this.text[this.at]!)) this.at++;
    return this.text.slice(start, this.at);
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }

  private accept(c: string): boolean {
    this.space();
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private expect(c: string): void {
    if (!this.accept(c)) throw variantError(this.text, `lacks "${c}" before "${this.text.slice(this.at)}"`);
  }
}

/** The type that a value has by itself: GVariant reads a bare number as int32, or as double if it has a dot. */
function typeOf(node: Node): string {
  switch (node.kind) {
    case 'typed':
      return node.signature;
    case 'number':
      return node.text.includes('.') ? 'd' : 'i';
    case 'string':
      return 's';
    case 'bool':
      return 'b';
    case 'variant':
      return 'v';
    case 'tuple':
      return `(${node.nodes.map(typeOf).join('')})`;
    case 'entry':
      return `{${node.nodes.map(typeOf).join('')}}`;
    default: {
      if (node.nodes.length === 0)
        throw variantError('[]', 'is an empty array without a type: write the type before it, as in @as []');
      // One typed element sets the type of all.
      const definite = node.nodes.find((n) => n.kind === 'typed') ?? node.nodes[0]!;
      return `a${typeOf(definite)}`;
    }
  }
}

function convert(node: Node, type: string): Value {
  const mismatchError = (what: string) => variantError(what, `is not a value of the type "${type}"`);
  switch (node.kind) {
    case 'typed':
      if (node.signature !== type) throw mismatchError(`a value of the type "${node.signature}"`);
      return convert(node.node, type);
    case 'bool':
      if (type !== 'b') throw mismatchError(node.text);
      return node.text === 'true';
    case 'string':
      if (!'sog'.includes(type)) throw mismatchError(JSON.stringify(node.text));
      if (node.text.includes('\0')) throw mismatchError('a string with NUL');
      return node.text;
    case 'number': {
      if (type === 'd') {
        if (!/^[+-]?[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?$/.test(node.text)) throw mismatchError(node.text);
        return Number(node.text);
      }
      const range = ranges[type];
      const [, sign, digits] = /^([+-]?)(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$/.exec(node.text) ?? [];
      if (!range || digits === undefined) throw mismatchError(node.text);
      const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
      if (value < range[0] || value > range[1]) throw mismatchError(node.text);
      return value;
    }
    case 'variant': {
      if (type !== 'v') throw mismatchError('a variant');
      const signature = typeOf(node.node);
      return { signature, value: convert(node.node, signature) };
    }
    case 'array':
    case 'dict':
      if (!type.startsWith('a')) throw mismatchError('an array');
      return node.nodes.map((n) => convert(n, type.slice(1)));
    default: {
      const [open, close] = node.kind === 'tuple' ? '()' : '{}';
      const inner = types(type.slice(1, -1));
      if (type[0] !== open || type.at(-1) !== close || inner.length !== node.nodes.length)
        throw mismatchError('a tuple');
      return node.nodes.map((n, i) => convert(n, inner[i]!));
    }
  }
}

/** The single types of a signature, in order. */
export function types(signature: string): string[] {
  const list: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at);
    list.push(signature.slice(at, end));
    at = end;
  }
  return list;
}

function endOfType(signature: string, start: number): number {
  let at = start;
  while (signature[at] === 'a') at++;
  let depth = 0;
  for (; at < signature.length; at++) {
    const c = signature[at]!;
    if (c === '(' || c === '{') depth++;
    else if (c === ')' || c === '}') depth--;
    if (depth === 0) return at + 1;
  }
  return signature.length;
}

const isType = (s: string): boolean =>
  /^a*([bynqiuxtdsogv]|\([a-zA-Z(){}]+\)|\{[bynqiuxtdsog][a-zA-Z(){}]+\})$/.test(s);

function variantError(text: string, why: string): RuntError {
  return new RuntError({
    code: 'ERR_SPEC_VALUE',
    message: `${text} ${why}`,
    hint: `write the value as GVariant text: true, uint64 5000000, 'text', ["a", "b"]`,
  });
}
