/** JSON pointers (RFC 6901): paths into config.json for violations and plan operations. */

/** One key as a segment of a pointer. */
export function escapeSegment(key: string): string {
  return key.includes('~') || key.includes('/') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
}

/** The keys of a pointer, unescaped. */
export function parsePointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => (part.includes('~') ? part.replaceAll('~1', '/').replaceAll('~0', '~') : part));
}

/** The value at a pointer; undefined if absent. Only reads own properties: `__proto__` is a key like others. */
export function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const key of parsePointer(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** Replaces the value at an existing pointer. */
export function replaceValueAt(root: unknown, pointer: string, value: unknown): void {
  const keys = parsePointer(pointer);
  const last = keys.pop();
  const parent = valueAt(root, keys.map((key) => `/${escapeSegment(key)}`).join(''));
  if (last === undefined || typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, last)) {
    throw new Error(`nothing at ${pointer}`);
  }
  (parent as Record<string, unknown>)[last] = value;
}
