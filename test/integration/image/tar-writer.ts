/** Tar archives by hand, as no tool would write them. */

/** One entry; the defaults are those of a file of root. */
export interface Entry {
  readonly name: string;
  /** typeflag of ustar: `0` file, `1` hard link, `2` symlink, `3` character device, `5` directory, `6` FIFO … */
  readonly type?: string;
  readonly data?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Records of an extended header (pax(1)) before the entry. */
  readonly pax?: Readonly<Record<string, string>>;
  /** The size in the header; that of the data if absent. */
  readonly size?: number;
}

const BLOCK = 512;

const padded = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);

function header(e: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at);
  block.write(e.name.slice(0, 100), 0, 'latin1');
  octal(e.mode ?? (e.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(e.uid ?? 0, 108, 8);
  octal(e.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(e.mtime ?? 1_000_000_000, 136, 12);
  block.fill(' ', 148, 156);
  block.write(e.type ?? '0', 156);
  block.write((e.link ?? '').slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257);
  octal(e.major ?? 0, 329, 8);
  octal(e.minor ?? 0, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function blocks(e: Entry): Buffer[] {
  const data = Buffer.from(e.data ?? '');
  const records = Object.entries(e.pax ?? {}).map(([key, value]) => paxRecord(key, value));
  const extended = Buffer.concat(records);
  const before = records.length === 0 ? [] : [header({ name: 'pax', type: 'x' }, extended.length), padded(extended)];
  return [...before, header(e, e.size ?? data.length), padded(data)];
}

/** An archive with its end. */
export const tar = (...entries: readonly Entry[]): Buffer =>
  Buffer.concat([...entries.flatMap(blocks), Buffer.alloc(2 * BLOCK)]);
