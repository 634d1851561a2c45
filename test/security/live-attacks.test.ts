/**
 * Attacks of the advisories on runt-init, with a live attacker where the original raced. Each fails on runt-init, and
 * works on a runt-init that hack/test-c.mjs builds without the defence.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mountBind, mountFs } from '../../src/plan/mounts/mount-op.js';
import type { Op } from '../../src/plan/plan-ops.js';
import { needing } from '../integration/bed/bed.js';
import { top } from '../integration/bed/place.js';
import {
  andRun,
  type Ground,
  intoRoot,
  type Outcome,
  onGround,
  type Performing,
  perform,
  program,
} from '../native/init/perform.js';
import { neverWorks, ROUNDS, roundsUntil, whileExchanging } from './rounds.js';

const test = needing('live attacks', 'root', 'programs', 'setpriv');

const proc = mountFs({ at: '', target: '/proc', fstype: 'proc', source: 'proc', options: [], attrs: 0 });
const mount = (target: string, fstype: string, source = fstype, options: string[] = []): Op =>
  mountFs({ at: '', target, fstype, source, options, attrs: 0 });
/** A plan whose operations before the program are `inside`, and those before the pivot `before`. */
const plan = (ground: Ground, before: Op[], inside: Op[], script: string): Op[] => {
  const [pivot, ...rest] = andRun(script);
  return [...intoRoot(ground.rootfs), ...before, pivot!, ...inside, ...rest];
};
const ran = (outcome: Outcome): boolean => outcome.reports.at(-1)?.[0] === 'exec';
/** The plans that were performed to their end: an attack on a plan that always fails would show nothing. */
let completed = 0;
async function attempt(ops: readonly Op[], o: Performing): Promise<Outcome> {
  const outcome = await perform(ops, o);
  if (ran(outcome)) completed++;
  return outcome;
}

interface Exchanged {
  readonly dir: string;
  readonly names: [string, string];
}

interface Attack {
  /** The advisories, and what must not happen. */
  readonly title: string;
  /** The weakened runt-init on which the attack works. */
  readonly weak: `weak-${string}`;
  /** Why runt-init refuses each of these plans; otherwise some must be performed. */
  readonly refused?: string;
  /** Prepares the ground; names the two files that the attacker exchanges, and their directory. */
  prepare?(ground: Ground): Exchanged | undefined;
  /** One round. Returns whether the attack worked. */
  works(ground: Ground, init: string): Promise<boolean>;
}

/** A directory of the host that the container has as a volume, with two names that the attacker exchanges. */
function volume(ground: Ground, name: string, link: string): Exchanged {
  const dir = join(ground.dir, 'volume');
  if (!existsSync(dir)) mkdirSync(dir);
  symlinkSync(link, join(dir, 'link'));
  return { dir, names: [name, 'link'] };
}
const bindOf = (ground: Ground, target: string): Op =>
  mountBind({ at: '', target, source: join(ground.dir, 'volume'), recursive: false });

const attacks: Attack[] = [
  {
    title: 'CVE-2021-30465: a mount target that is swapped for a link leads to no mount outside',
    weak: 'weak-resolve',
    prepare: (ground) => {
      mkdirSync(join(ground.dir, 'volume', 'target'), { recursive: true });
      return volume(ground, 'target', ground.outside);
    },
    async works(ground, init) {
      const before = [bindOf(ground, '/volume'), proc, mount('/volume/target', 'tmpfs', 'raced')];
      const script = 'grep -q raced /proc/self/mountinfo || echo outside';
      return (await attempt(plan(ground, before, [], script), { init })).stdout.includes('outside');
    },
  },
  {
    title: 'CVE-2024-45310: a directory that is swapped for a link leads to no directory or file on the host',
    weak: 'weak-resolve',
    prepare: (ground) => {
      mkdirSync(join(ground.dir, 'volume', 'target'), { recursive: true });
      return volume(ground, 'target', ground.outside);
    },
    async works(ground, init) {
      const before: Op[] = [
        bindOf(ground, '/volume'),
        { op: 'mkdir', at: '', path: '/volume/target/a/b', mode: 0o755 },
        mountBind({ at: '', target: '/volume/target/file', source: '/dev/null', recursive: false }),
      ];
      await attempt(plan(ground, before, [], 'true'), { init });
      return readdirSync(ground.outside).length > 0;
    },
  },
  {
    title:
      'CVE-2019-18837, CVE-2026-41579, CVE-2026-47766: /dev that is swapped for a link leads to no node on the host',
    weak: 'weak-resolve',
    prepare: (ground) => {
      mkdirSync(join(ground.rootfs, 'dev'), { recursive: true });
      symlinkSync(ground.outside, join(ground.rootfs, 'link'));
      return { dir: ground.rootfs, names: ['dev', 'link'] };
    },
    async works(ground, init) {
      const node = { type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0, bind: false };
      const before: Op[] = [
        { op: 'device', at: '', path: '/dev/null', ...node },
        { op: 'symlink', at: '', path: '/dev/ptmx', content: 'pts/ptmx', required: false },
      ];
      await attempt(plan(ground, before, [], 'true'), { init });
      return readdirSync(ground.outside).length > 0;
    },
  },
  {
    title:
      'CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: /proc that is swapped for a link is not mounted elsewhere',
    weak: 'weak-resolve',
    prepare: (ground) => {
      for (const name of ['proc', 'elsewhere']) mkdirSync(join(ground.rootfs, name), { recursive: true });
      symlinkSync('elsewhere', join(ground.rootfs, 'link'));
      return { dir: ground.rootfs, names: ['proc', 'link'] };
    },
    async works(ground, init) {
      const script = 'if [ -e /elsewhere/self ]; then echo redirected; fi';
      return (await attempt(plan(ground, [proc], [], script), { init })).stdout === 'redirected\n';
    },
  },
  {
    title: 'CVE-2025-31133, CVE-2025-62161: a /dev/null that is swapped for a link is not bound as a mask',
    weak: 'weak-null',
    prepare: (ground) => {
      const dir = join(ground.dir, 'volume');
      mkdirSync(dir);
      spawnSync('mknod', [join(dir, 'null'), 'c', '1', '3']);
      writeFileSync(join(ground.rootfs, 'planted'), 'planted');
      return volume(ground, 'null', '/planted');
    },
    async works(ground, init) {
      const masks = ['version', 'cpuinfo', 'uptime'].map((name): Op => ({ op: 'mask', at: '', path: `/proc/${name}` }));
      const outcome = await attempt(
        plan(ground, [proc, bindOf(ground, '/dev')], masks, 'cat /proc/version /proc/cpuinfo /proc/uptime'),
        { init },
      );
      assert.ok(!ran(outcome) || ['', 'planted'].includes(outcome.stdout.slice(0, 7)), outcome.stdout);
      return outcome.stdout.includes('planted');
    },
  },
  {
    title:
      'CVE-2025-52565, CVE-2026-88264, CVE-2026-88265: a /dev/console that is swapped for a link makes no file on the host',
    weak: 'weak-console',
    prepare: (ground) => {
      mkdirSync(join(ground.dir, 'volume', 'pts'), { recursive: true });
      writeFileSync(join(ground.dir, 'volume', 'console'), '');
      return volume(ground, 'console', join(ground.outside, 'made'));
    },
    async works(ground, init) {
      const before: Op[] = [
        bindOf(ground, '/dev'),
        mount('/dev/pts', 'devpts', 'devpts', ['newinstance', 'ptmxmode=0666']),
        { op: 'session', at: '' },
        { op: 'terminal', at: '', slot: 0, uid: 0, console: true },
      ];
      await attempt([...plan(ground, before, [], 'true')], { init, socket: true });
      return existsSync(join(ground.outside, 'made'));
    },
  },
  {
    title: 'CVE-2016-9962: a process without capabilities cannot see the descriptors of a waiting runt-init',
    weak: 'weak-dumpable',
    refused: 'the plan has no program',
    async works(ground, init) {
      // At a path of its own, to find its pid.
      const own = join(ground.dir, `init-${process.hrtime.bigint()}`);
      copyFileSync(init, own);
      let seen = '';
      const ops: Op[] = [
        ...intoRoot(ground.rootfs),
        { op: 'undumpable', at: '' },
        { op: 'capabilities', at: '', effective: 0, permitted: 0, inheritable: 0, ambient: 0 },
        { op: 'await', at: '', what: 'the test' },
      ];
      await attempt(ops, {
        init: own,
        awaited: () => {
          const is = (pid: string): boolean => {
            try {
              return readlinkSync(`/proc/${pid}/exe`) === own;
            } catch {
              return false;
            }
          };
          const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && is(name));
          assert.ok(pid, 'runt-init waits');
          const none = ['--inh-caps=-all', '--bounding-set=-all', '--', 'ls', '-l', `/proc/${pid}/fd`];
          seen += spawnSync('setpriv', none, { encoding: 'utf8' }).stdout;
        },
      });
      rmSync(own);
      return seen.includes('->');
    },
  },
  {
    title: 'CVE-2022-27650, CVE-2022-29162, CVE-2025-27612: a permitted capability does not become inheritable',
    weak: 'weak-capabilities',
    async works(ground, init) {
      const capabilities: Op = { op: 'capabilities', at: '', effective: 33, permitted: 33, inheritable: 0, ambient: 0 };
      const ops = plan(ground, [proc], [capabilities], 'grep CapInh /proc/self/status');
      // The operation belongs after the pivot: the switch of root needs capabilities.
      const { stdout } = await attempt(ops, { init });
      assert.match(stdout, /^CapInh:\t[0-9a-f]{16}\n$/);
      return !stdout.includes('0000000000000000');
    },
  },
  {
    title:
      'CVE-2019-16884, CVE-2025-52881, CVE-2025-62596: a file of a fake /proc that is swapped for a link gets no write',
    weak: 'weak-procfs',
    prepare: (ground) => {
      mkdirSync(join(ground.dir, 'volume', 'sys', 'kernel'), { recursive: true });
      writeFileSync(join(ground.dir, 'volume', 'sys', 'kernel', 'domainname'), '');
      symlinkSync('/victim', join(ground.dir, 'volume', 'sys', 'kernel', 'link'));
      return { dir: join(ground.dir, 'volume', 'sys', 'kernel'), names: ['domainname', 'link'] };
    },
    async works(ground, init) {
      const victim = join(ground.rootfs, 'victim');
      writeFileSync(victim, 'untouched');
      const sysctl: Op = { op: 'sysctl', at: '', key: 'kernel/domainname', value: 'redirected' };
      const ops = plan(ground, [bindOf(ground, '/proc')], [sysctl], 'true');
      assert.ok(ran(await attempt(ops, { init })));
      return readFileSync(victim, 'utf8') !== 'untouched';
    },
  },
  {
    title: 'CVE-2026-115521: a read-only remount is not redirected by /proc/self/fd of the container',
    weak: 'weak-remount',
    prepare: (ground) => {
      const fds = join(ground.dir, 'volume', 'self', 'fd');
      mkdirSync(fds, { recursive: true });
      // Whatever its number is, the descriptor leads to another mount.
      for (let fd = 0; fd < 64; fd++) symlinkSync('/victim', join(fds, String(fd)));
      return undefined;
    },
    async works(ground, init) {
      const before = [bindOf(ground, '/proc'), mount('/victim', 'tmpfs'), mount('/data', 'tmpfs')];
      const readOnly: Op = { op: 'mountAttrs', at: '', target: '/data', setAttrs: 1, clearAttrs: 0, recursive: false };
      const script = ': >/data/x && echo writable';
      const outcome = await attempt(plan(ground, before, [readOnly], `{ ${script}; } 2>/dev/null`), { init });
      assert.ok(ran(outcome), JSON.stringify(outcome));
      return outcome.stdout === 'writable\n';
    },
  },
  {
    title: 'CVE-2024-21626: a leaked descriptor is not the working directory',
    weak: 'weak-cwd',
    refused: 'the directory is outside of the root',
    async works(ground, init) {
      writeFileSync(join(ground.outside, 'host-file'), '');
      const leaking = join(ground.dir, 'leaking');
      writeFileSync(leaking, `#!/bin/sh\nexec 9<'${ground.outside}'\nexec '${init}' "$@"\n`);
      chmodSync(leaking, 0o755);
      const ops = plan(ground, [proc], [], 'ls');
      const at = ops.findIndex((op) => op.op === 'cwd');
      ops[at] = { op: 'cwd', at: '', path: '/proc/self/fd/9', optional: false };
      return (await attempt(ops, { init: leaking })).stdout.includes('host-file');
    },
  },
  {
    title: 'CVE-2026-30892, CVE-2024-40635, CVE-2026-46680: an id of more than 32 bits does not become root',
    weak: 'weak-ids',
    refused: 'the id is out of range',
    async works(ground, init) {
      const ids = { uid: 2n ** 32n, gid: 2n ** 32n, groups: [], setGroups: true, groupsOptional: false };
      return (await attempt(plan(ground, [], [{ op: 'user', at: '', ...ids }], 'id -u'), { init })).stdout === '0\n';
    },
  },
];

const strong = join(top, 'build', 'runt-init');

for (const { title, weak, refused, prepare, works } of attacks) {
  const on = (init: string, body: (round: () => Promise<boolean>) => Promise<unknown>) =>
    onGround(async (ground) => {
      const swapped = prepare?.(ground);
      const round = () => works(ground, init);
      if (swapped) await whileExchanging(swapped.dir, swapped.names, () => body(round));
      else await body(round);
    });
  test(
    title,
    on(strong, async (round) => {
      completed = 0;
      await neverWorks(round, () => completed > 0 || refused !== undefined);
      if (refused !== undefined) assert.is(completed, 0, `${completed} plans were performed, though ${refused}`);
    }),
  );
  test(
    `the attack works on ${weak}: ${title}`,
    on(program(weak), async (round) => {
      console.log(
        `\n# note ${title.split(':')[0]}: ${weak} falls in round ${await roundsUntil(round)} (${ROUNDS} held)`,
      );
    }),
  );
}

test(
  'CVE-2019-5736: a runt-init that is a file of the host could be overwritten after it has ended',
  onGround(async (ground) => {
    const copy = join(ground.dir, 'runt-init');
    copyFileSync(strong, copy);
    const { size } = statSync(copy);
    const pivot = plan(ground, [proc], [], 'readlink /proc/1/exe');
    assert.ok(ran(await attempt(pivot, { init: copy })));
    writeFileSync(copy, '#!/evil\n');
    assert.is.not(statSync(copy).size, size, 'a file can be written; a sealed memfd cannot (advisories.test.ts)');
  }),
);

test('the product has none of the switches of the weakened programs', () => {
  const switches = /RUNT_WEAK_/;
  for (const file of ['hack/build.mjs', 'hack/flags.mjs', 'Makefile']) {
    assert.not.match(readFileSync(join(top, file), 'utf8'), switches, file);
  }
  const product = readFileSync(strong);
  const weak = readdirSync(join(top, 'build', 'test-programs')).filter((name) => name.startsWith('weak-'));
  assert.ok(weak.length >= new Set(attacks.map((attack) => attack.weak)).size);
  for (const name of weak) assert.is.not(product.equals(readFileSync(program(name as 'weak-mounts'))), true, name);
});

test.run();
