/** JSON text of plain data with exact integers, as JSON.stringify throws on BigInt. */

/**
 * Accepts JSON values and bigint, which becomes a JSON integer. With `indent`, objects and arrays of objects span
 * several lines. Leaves out undefined members, as JSON.stringify does.
 */
export function toJson(value: unknown, indent = ''): string {
  return write(value, indent, '');
}

function write(value: unknown, indent: string, margin: string): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const inner = margin + indent;
  if (Array.isArray(value)) {
    const items = value.map((v) => write(v, indent, inner));
    const short = indent === '' || !value.some((v) => typeof v === 'object' && v !== null);
    return short ? `[${items.join(indent === '' ? ',' : ', ')}]` : lines('[', items, ']', inner, margin);
  }
  const members: string[] = [];
  for (const [key, v] of Object.entries(value)) {
    if (v !== undefined) members.push(`${JSON.stringify(key)}:${indent && ' '}${write(v, indent, inner)}`);
  }
  return indent === '' ? `{${members.join(',')}}` : lines('{', members, '}', inner, margin);
}

function lines(open: string, items: readonly string[], close: string, inner: string, margin: string): string {
  return items.length === 0 ? open + close : `${open}\n${inner}${items.join(`,\n${inner}`)}\n${margin}${close}`;
}
