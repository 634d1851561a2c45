/** Mount options: what validates compiles and encodes, with the effect that the last option of each kind has. */
import * as assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile } from '../../src/plan/compile.js';
import { encodePlan } from '../../src/plan/encode-plan.js';
import { cgroupV1, cgroupV2, hostWith, options, refusedEverywhere } from '../../src/plan/ideal-hosts.js';
import type { Op } from '../../src/plan/plan-ops.js';
import type { Mount, Spec } from '../../src/spec/config-types.js';
import { parseSpec } from '../../src/spec/load-config.js';
import { mountOptionNames } from '../../src/spec/mount-options.js';
import { tmpfsMount } from '../../src/spec/options/tmpfs-option.js';
import { volumeMount } from '../../src/spec/options/volume-option.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { defaultConfig, withUserNamespace } from '../integration/bed/config.js';
import { bytesOf, type Target, writePlan } from './target.js';

/** Attributes of a mount by name: the bits that the option decides, and their value (linux/mount.h). */
const attributes: Readonly<Record<string, readonly [mask: number, value: number]>> = {
  ro: [1, 1],
  rw: [1, 0],
  nosuid: [2, 2],
  suid: [2, 0],
  nodev: [4, 4],
  dev: [4, 0],
  noexec: [8, 8],
  exec: [8, 0],
  noatime: [0x70, 0x10],
  strictatime: [0x70, 0x20],
  atime: [0x70, 0],
  relatime: [0x70, 0],
  norelatime: [0x70, 0],
  nostrictatime: [0x70, 0],
  nodiratime: [0x80, 0x80],
  diratime: [0x80, 0],
  nosymfollow: [0x20_0000, 0x20_0000],
  symfollow: [0x20_0000, 0],
};
/** MS_* (linux/mount.h); `r` before a name adds MS_REC. */
const propagation: Readonly<Record<string, number>> = {
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
};
const MS_REC = 1 << 14;
const NOEXEC = 8;

const ids = fc.oneof(fc.nat(70_000), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32));
const range = fc.tuple(fc.constantFrom('', '@'), ids, ids, ids).map(([at, a, b, c]) => `${at}${a}-${b}-${c}`);
const ranges = fc.array(range, { minLength: 1, maxLength: 2 }).map((list) => list.join('#'));
const idmap = fc
  .tuple(fc.constantFrom('idmap', 'ridmap'), ranges, ranges, fc.constantFrom('', ';', '#'))
  .map(([name, uids, gids, end]) => `${name}=uids=${uids};gids=${gids}${end}`);
const data = fc.constantFrom(
  ...['size=64k', 'size=50%', 'mode=755', 'uid=5', 'gid=5', 'ptmxmode=0666', 'newinstance', 'hidepid=2', 'huge=never'],
  ...['lowerdir=/a:/b', 'lowerdir=a', 'upperdir=/u', 'workdir=/w', 'X-runt.ephemeral=tmpfs:1m', 'X-runt.ephemeral=/l'],
  ...['X-runt.ephemeral=', 'X-runt.ephemeral=tmpfs:0', 'idmap=', 'ridmap=uids=', 'nsdelegate', 'x', 'x=', '=', '', 'Z'],
);
/** Known options most of all, misspelt ones, any text. */
const option = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...mountOptionNames()) },
  { weight: 3, arbitrary: data },
  { weight: 1, arbitrary: idmap },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...mountOptionNames()), fc.nat(), fc.constantFrom('', 'x', '=', ' ', ','))
      .map(([name, at, text]) => name.slice(0, at % (name.length + 1)) + text + name.slice((at % name.length) + 1)),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
);
const type = fc.constantFrom(
  ...['bind', 'tmpfs', 'proc', 'sysfs', 'devpts', 'mqueue', 'overlay', 'cgroup', 'cgroup2', 'ext4', 'none', undefined],
);
const path = fc.constantFrom('/x', '/', '/x/../y', '/dev/shm', 'x', '/x/', '/proc');
const mount = fc.record({
  type,
  source: fc.constantFrom('/srv', 'srv', 'tmpfs', '/dev/sda', '/..', undefined),
  destination: path,
  options: fc.array(option, { maxLength: 8 }),
});

/** Each of several options, in order, changes the bits. */
function applied(names: readonly string[], prefix: string, before: number): number {
  let bits = before;
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const own = name.slice(prefix.length);
    if (!Object.hasOwn(attributes, own)) continue;
    const [mask, value] = attributes[own]!;
    bits = (bits & ~mask) | value;
  }
  return bits >>> 0;
}

const changedBits = (set: number, clear: number, before: number): number => ((before & ~clear) | set) >>> 0;

function wantedPropagation(names: readonly string[]): number[] {
  return names.flatMap((name) => {
    if (Object.hasOwn(propagation, name)) return [propagation[name]!];
    const own = name.replace(/^r/, '');
    return own !== name && Object.hasOwn(propagation, own) ? [propagation[own]! | MS_REC] : [];
  });
}

/** Options that no table has: the file system's own. */
const isData = (name: string): boolean =>
  name !== '' && !known.has(name) && !/^r?idmap=/s.test(name) && !name.startsWith('X-runt.');
const known = new Set(mountOptionNames());

type FsMount = Extract<Op, { op: 'mountFs' }>;
type BindMount = Extract<Op, { op: 'mountBind' }>;

function checkFs({ options: names = [] }: Mount, op: FsMount): void {
  assert.equal(op.attrs, applied(names, 'r', applied(names, '', 0)), 'attributes');
  const own = op.options.filter((text) => !known.has(text));
  if (op.fstype !== 'overlay') assert.deepEqual(own, names.filter(isData), 'options of the file system');
}

function checkBind({ options: names = [] }: Mount, op: BindMount): void {
  const isAny = names.some((name) => Object.hasOwn(attributes, name));
  for (const before of [0, 0x20_00ff]) {
    let wanted = applied(names, '', before);
    // The source's noexec goes, unless the options name it (docs/mounts.md).
    if (isAny && applied(names, '', 0) % 16 < NOEXEC) wanted &= ~NOEXEC;
    assert.equal(changedBits(Number(op.setAttrs), Number(op.clearAttrs), before), wanted >>> 0, 'attributes');
    assert.equal(
      changedBits(Number(op.setAttrsRec), Number(op.clearAttrsRec), before),
      applied(names, 'r', before),
      'recursive ones',
    );
  }
  assert.equal(op.recursive, names.includes('rbind'));
}

function check(spec: Spec): void {
  const [mount] = spec.mounts as [Mount];
  const names = mount.options ?? [];
  for (const layout of [cgroupV1, cgroupV2]) {
    const { plan } = compile(spec, hostWith(layout), options);
    writePlan(encodePlan(plan, { trace: false, startSocket: -1, slots: [] }));
    const isCgroup = mount.type === 'cgroup' || mount.type === 'cgroup2';
    // The binds of an overlay's mapped layers have none of its options.
    const hasLayers = mount.type === 'overlay' && !names.includes('bind') && !names.includes('rbind');
    for (const op of plan.ops) {
      if (op.at !== '/mounts/0' || isCgroup || (op.op !== 'mountFs' && op.op !== 'mountBind')) continue;
      if (op.op === 'mountFs' && op.fstype === mount.type) checkFs(mount, op);
      else if (op.op === 'mountBind' && !hasLayers && !names.includes('remount')) checkBind(mount, op);
      if (op.target !== '/' && !(hasLayers && op.op === 'mountBind'))
        assert.deepEqual(op.propagation, wantedPropagation(names), 'propagation');
    }
  }
}

/** The text of `--volume` or `--tmpfs`, or a mount of the config. */
export const mounts: Target<{
  mount: Partial<Mount>;
  hasUser: boolean;
  text: readonly [isVolume: boolean, from: string, to: string, options: readonly string[]];
}> = {
  inputs: fc.record({
    mount,
    hasUser: fc.boolean(),
    text: fc.tuple(fc.boolean(), fc.constantFrom('/srv', '.', ''), path, fc.array(option, { maxLength: 3 })),
  }) as fc.Arbitrary<never>,
  codes: /^ERR_(?:SPEC_INVALID|UNSUPPORTED)$/,
  read({ mount, hasUser, text: [isVolume, from, to, list] }) {
    useNodeHost([]);
    const base = hasUser ? withUserNamespace(defaultConfig()) : defaultConfig();
    const read = (one: unknown): Spec => {
      const bytes = bytesOf(JSON.stringify({ ...base, mounts: [one] }));
      return parseSpec(bytes, bytes.length, 'config.json').spec;
    };
    const flags = list.length === 0 ? '' : `:${list.join()}`;
    const owner = { mapped: hasUser, rootless: false };
    const made = isVolume ? volumeMount(`${from}:${to}${flags}`, (p) => `/${p}`, owner) : tmpfsMount(`${to}${flags}`);
    // What an option makes is a valid mount, unless the kernel's ranges of ids are malformed.
    if (typeof made !== 'string' && !list.some((name) => /idmap|\0|X-runt/.test(name))) check(read(made));
    const spec = read(mount);
    const refusal = refusedEverywhere(spec);
    if (refusal) throw refusal;
    check(spec);
  },
};
