/** Additions to a JSON text that keep the rest of it, byte for byte. */

interface Member {
  readonly key: string;
  /** Positions of the value. */
  readonly from: number;
  readonly to: number;
}

interface ObjectSpan {
  readonly members: readonly Member[];
  /** Positions of the braces. */
  readonly open: number;
  readonly close: number;
}

const blank = /[ \t\n\r]/;

/** The members of the object that begins at `open` or after blanks there. The text must be valid JSON. */
function objectAt(text: string, start: number): ObjectSpan {
  const open = skipBlanks(text, start);
  const members: Member[] = [];
  let at = skipBlanks(text, open + 1);
  while (text[at] !== '}') {
    const keyEnd = valueEnd(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const from = skipBlanks(text, skipBlanks(text, keyEnd) + 1);
    const to = valueEnd(text, from);
    members.push({ key, from, to });
    at = skipBlanks(text, to);
    if (text[at] === ',') at = skipBlanks(text, at + 1);
  }
  return { members, open, close: at };
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (blank.test(text[at] ?? '')) at++;
  return at;
}

/** The end of the value that begins at `from`. */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; ; at++) {
    const c = text[at];
    if (c === undefined) return at;
    if (c === '"') for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
    if (c === '{' || c === '[') depth++;
    else if (depth > 0 && (c === '}' || c === ']')) depth--;
    else if (depth === 0 && c !== '"' && /[,:}\] \t\n\r]/.test(text[at + 1] ?? ' ')) return at + 1;
    if (depth === 0 && (c === '"' || c === '}' || c === ']')) return at + 1;
  }
}

/** The text with one more member at the end of an object; the blanks before it are those before the first member. */
function insert(text: string, { members, open, close }: ObjectSpan, member: string): string {
  const first = members[0];
  if (!first) {
    const line = text.slice(text.lastIndexOf('\n', open) + 1);
    const indent = /^[ \t]*/.exec(line)![0];
    return `${text.slice(0, open + 1)}\n${indent}  ${member}\n${indent}${text.slice(close)}`;
  }
  const gap = /^[ \t\n\r]*/.exec(text.slice(open + 1))![0];
  const last = members.at(-1)!.to;
  return `${text.slice(0, last)},${gap === '' ? ' ' : gap}${member}${text.slice(last)}`;
}

/**
 * A JSON text with `value` at two keys, as `outer: { inner: value }`, which is not there yet.
 * @param text valid JSON of an object whose member `outer`, if it has one, is an object
 */
export function withMember(text: string, outer: string, inner: string, value: unknown): string {
  const root = objectAt(text, 0);
  const member = `${JSON.stringify(inner)}: ${JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ')}`;
  // JSON.parse and encoding/json of Go take the last one of the same name.
  const found = root.members.filter(({ key }) => key === outer).at(-1);
  return found
    ? insert(text, objectAt(text, found.from), member)
    : insert(text, root, `${JSON.stringify(outer)}: { ${member} }`);
}
