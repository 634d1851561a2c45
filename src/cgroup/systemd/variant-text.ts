/** D-Bus values as GVariant text for people, which `parseVariant` can read. */
import { keywords, types, type Value, type Variant } from './variant.js';

/** Types that the text shows without a keyword. */
const untypedSignatures = 'bis';

export function variantText({ signature, value }: Variant): string {
  return text(signature, value);
}

function text(type: string, value: Value): string {
  switch (type[0]) {
    case 'v':
      return `<${variantText(value as Variant)}>`;
    case 'a':
      return list(type, value as readonly Value[]);
    case '(': {
      const members = inner(type, value);
      return `(${members.join(', ')}${members.length === 1 ? ',' : ''})`;
    }
    case '{':
      return inner(type, value).join(': ');
    default: {
      const shown = typeof value === 'string' ? quoted(value) : String(value);
      return untypedSignatures.includes(type) ? shown : `${typeKeywords[type]} ${shown}`;
    }
  }
}

const typeKeywords = Object.fromEntries(Object.entries(keywords).map(([word, type]) => [type, word]));

function list(type: string, values: readonly Value[]): string {
  // An empty list does not show its type.
  if (values.length === 0) return `@${type} []`;
  const members = values.map((value) => text(type.slice(1), value)).join(', ');
  return type[1] === '{' ? `{${members}}` : `[${members}]`;
}

function inner(type: string, value: Value): string[] {
  return types(type.slice(1, -1)).map((member, i) => text(member, (value as readonly Value[])[i]!));
}

/** Quotes with single quotes, and escapes control characters. */
function quoted(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return `'${value.replace(/['\\]/g, '\\$&').replace(/[\x00-\x1f\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}'`;
}
