/**
 * Hand-made plans, performed by runt-init itself: for plans that no config compiles to, and for kernels that lack
 * calls.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePlan } from '../../../src/plan/encode-plan.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { programs, runtPath, top } from '../../integration/bed/place.js';
import { textHost } from '../../sys/fake-host.js';

textHost();

/** The fields of one report frame; the first one is its kind. */
export type Report = string[];

export interface Outcome {
  reports: Report[];
  /** Exit status, or null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
}

export interface Performing {
  /** Rules for test/native/init/filter.c, e.g. `openat2=38`. */
  filter?: string[];
  trace?: boolean;
  /** Bytes sent instead of the encoded operations, verbatim (with their frame's length, or without one). */
  raw?: Uint8Array;
  /** Number of `g` bytes to send after the plan; then, if `hangUp`, the runtime's end is closed. */
  words?: number;
  hangUp?: boolean;
  /** A program to run instead of runt-init. */
  init?: string;
  /** Called at each operation `await`, which then continues. */
  awaited?: () => void;
  /** Its limit of open descriptors. */
  descriptors?: number;
  /** Slot 0 is a socket, which receives the terminal's master and drops it. */
  socket?: boolean;
  /** A process in whose mount namespace it starts, with the mounts that are shared there. */
  inside?: number;
}

export const frame = (body: Uint8Array): Uint8Array => {
  const bytes = Buffer.alloc(4 + body.length);
  bytes.writeUInt32LE(body.length);
  bytes.set(body, 4);
  return bytes;
};

/** The encoded form of operations. */
export const encoded = (ops: readonly Op[], trace = false, slots: number[] = []): Uint8Array =>
  encodePlan({ version: 1, ops }, { trace, startSocket: -1, slots });

/** The mount API of Linux 5.2, and mount_setattr(2) of 5.12. */
export const mountApi = ['open_tree', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr'];

/** The path of the program built from the C file `name` beside this one; tests that use it need `programs`. */
export const program = (name: 'filter' | 'exchange' | 'swap' | `weak-${string}`): string => join(programs, name);

/** A script that runs dist/runt under a filter, for a bed's `program`. */
export function filtered(dir: string, rules: readonly string[]): string {
  // A name has at most 255 bytes.
  const path = join(dir, `runt-${rules.join('-').slice(0, 200)}`);
  writeFileSync(
    path,
    `#!/bin/sh\nexec ${program('filter')} ${rules.map((rule) => `'${rule}'`).join(' ')} -- ${runtPath} "$@"\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

/** The frames of received bytes; the last one may be incomplete while more are `coming`. */
function frames(bytes: Buffer, coming = false): Report[] {
  const found: Report[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (coming && (bytes.length < at + 4 || bytes.length < at + 4 + bytes.readUInt32LE(at))) break;
    const length = bytes.readUInt32LE(at);
    const body = bytes.subarray(at + 4, at + 4 + length);
    if (body.length !== length || body.at(-1) !== 0)
      throw new Error(`a broken frame: ${JSON.stringify(String(bytes))}`);
    found.push(body.subarray(0, -1).toString().split('\0'));
    at += 4 + length;
  }
  return found;
}

/** Runs runt-init in a mount, pid and UTS namespace of its own, sends the plan and reads to the end. */
export function perform(ops: readonly Op[], o: Performing = {}): Promise<Outcome> {
  const init = o.init ?? join(top, 'build', 'runt-init');
  if (!existsSync(init)) throw new Error(`${init} is not built`);
  const inner = [init, '3'];
  const limited = o.descriptors ? ['prlimit', `--nofile=${o.descriptors}`, ...inner] : inner;
  const command = o.filter ? [program('filter'), ...o.filter, '--', ...limited] : limited;
  const propagation = o.inside === undefined ? 'private' : 'unchanged';
  const namespaces = ['--mount', '--propagation', propagation, '--pid', '--uts', '--ipc', '--kill-child', '--fork'];
  const enter = o.inside === undefined ? [] : ['nsenter', '--mount', '--target', String(o.inside), '--'];
  const [file = '', ...args] = [...enter, 'unshare', ...namespaces, ...command];
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe', ...(o.socket ? (['pipe'] as const) : [])],
    timeout: COMMAND_LIMIT,
    killSignal: 'SIGKILL',
  });
  const sync = child.stdio[3] as import('node:net').Socket;
  const heard: Buffer[] = [];
  let stdout = '';
  child.stdout?.on('data', (d) => {
    stdout += d;
  });
  let awaits = 0;
  sync.on('data', (d) => {
    heard.push(d);
    if (!o.awaited) return;
    const all = frames(Buffer.concat(heard), true).filter(([kind]) => kind === 'await').length;
    for (; awaits < all; awaits++) {
      o.awaited();
      sync.write('g');
    }
  });
  sync.on('error', () => {});
  sync.write(o.raw ?? frame(encoded(ops, o.trace, o.socket ? [4] : [])));
  if (o.words) sync.write('g'.repeat(o.words));
  if (o.hangUp) sync.end();
  return new Promise((settle, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      try {
        settle({ reports: frames(Buffer.concat(heard)), code, signal, stdout });
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The beginning of every plan: a root to work in, nothing shared with the host. */
export const intoRoot = (rootfs: string): Op[] => [
  { op: 'keepFds', at: '', count: 0 },
  { op: 'procfs', at: '' },
  { op: 'hostPropagation', at: '', flags: (1 << 18) | (1 << 14) },
  { op: 'rootfs', at: '', path: rootfs },
];

/** The end of a plan: the switch of root, and a shell script there. */
export const andRun = (script: string): Op[] => [
  { op: 'pivotRoot', at: '' },
  { op: 'verifyMounts', at: '', last: true },
  { op: 'cwd', at: '', path: '/', optional: false },
  { op: 'findExecutable', at: '', name: '/bin/sh', path: '' },
  { op: 'exec', at: '', args: ['sh', '-c', script], env: ['PATH=/bin'], homeOfNamed: false },
];

/** A directory for one test with a root file system (busybox), and a directory of the host's beside it. */
export class Ground {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'runt-init-')));
  readonly rootfs = join(this.dir, 'rootfs');
  /** Stands for a directory of the host. */
  readonly outside = join(this.dir, 'outside');

  constructor() {
    const base = join(top, 'build', 'rootfs');
    execFileSync(join(top, 'hack', 'rootfs'), [base], { stdio: ['ignore', 'ignore', 'inherit'] });
    execFileSync('cp', ['-a', base, this.rootfs]);
    mkdirSync(this.outside);
  }
  end(): void {
    execFileSync('rm', ['-rf', '--one-file-system', '--', this.dir]);
  }
}

/** Runs a test's body on a ground of its own. */
export const onGround = (body: (ground: Ground) => Promise<void>) => async (): Promise<void> => {
  const ground = new Ground();
  try {
    await body(ground);
  } finally {
    ground.end();
  }
};

/** The error report of an outcome; throws if there is none. */
export function errorOf(outcome: Outcome): { index: number; errno: number; syscall: string; detail: string } {
  const report = outcome.reports.at(-1);
  if (report?.[0] !== 'error') throw new Error(`no error: ${JSON.stringify(outcome)}`);
  return { index: Number(report[1]), errno: Number(report[2]), syscall: report[3] ?? '', detail: report[4] ?? '' };
}
