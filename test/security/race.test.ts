/**
 * An attacker that changes the container's files while runt mounts on them: nothing may reach the host (CVE-2021-30465,
 * CVE-2024-45310).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../integration/bed/bed.js';
import { filtered, program } from '../native/init/perform.js';
import { ROUNDS } from './rounds.js';

const test = needing('race', 'root', 'programs');
const DURATION = 1200;

/** Exchanges `dir/name`, a directory, with a symlink to `host`, in a process of its own that counts its exchanges. */
function attack(dir: string, name: string, host: string): ChildProcess {
  if (!existsSync(join(dir, name))) mkdirSync(join(dir, name));
  symlinkSync(host, join(dir, 'link'));
  return spawn(program('exchange'), [name, 'link'], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] });
}

/**
 * Creates containers for a while, and at least ROUNDS, during the attack; returns how many were made and refused, and
 * the number of exchanges.
 */
async function besieged(bed: Bed, dir: string, name: string, host: string, runt?: string) {
  const attacker = attack(dir, name, host);
  let turns = '';
  attacker.stdout?.on('data', (d) => {
    turns += d;
  });
  const ended = new Promise((done) => attacker.on('close', done));
  // Only those mounts of the machine that could be ours: others change during the test.
  const ours = () =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => [bed.dir, host, 'raced'].some((mark) => line.includes(mark)));
  const mounts = ours();
  const counts = { ran: 0, refused: 0, turns: 0, messages: new Set<string>() };
  try {
    for (const until = Date.now() + DURATION; Date.now() < until || counts.ran + counts.refused < ROUNDS; ) {
      const r = bed.run([], runt ? { program: runt } : {});
      assert.not.match(r.stderr, 'outside');
      if (r.code === 0) counts.ran++;
      else {
        counts.refused++;
        counts.messages.add(r.stderr);
      }
      assert.equal(readdirSync(host), [], `made on the host: ${r.stderr}`);
      assert.equal(ours(), mounts, 'mounted on the host');
      await new Promise((next) => setImmediate(next));
    }
  } finally {
    attacker.kill('SIGTERM');
    await ended;
  }
  counts.turns = Number(turns);
  return counts;
}

const ways: Record<string, string[]> = { 'with openat2': [], 'without openat2': ['openat2=38'] };

for (const [way, rules] of Object.entries(ways)) {
  const runt = (bed: Bed) => (rules.length > 0 ? filtered(bed.dir, rules) : undefined);

  test(
    `CVE-2021-30465, ${way}: a mount target swapped for a symlink does not lead to a mount outside`,
    onBed(async (bed) => {
      const [volume, host] = [join(bed.dir, 'volume'), join(bed.dir, 'host')];
      mkdirSync(volume);
      mkdirSync(host);
      bed.config.mounts.push(
        { destination: '/volume', type: 'bind', source: volume, options: ['rbind'] },
        { destination: '/volume/target', type: 'tmpfs', source: 'raced' },
      );
      // At any path in the container: a mount outside the root is not visible after the pivot.
      bed.config.process.args = ['/bin/sh', '-c', 'grep -q raced /proc/self/mountinfo || echo outside >&2'];
      const counts = await besieged(bed, volume, 'target', host, runt(bed));
      assert.ok(counts.turns > 1000, `the attacker had only ${counts.turns} turns`);
      for (const message of counts.messages) assert.match(message, /\/mounts\/8 in config\.json/);
    }),
  );

  test(
    `CVE-2024-45310, ${way}: a parent of a missing mount target swapped for a symlink makes nothing on the host`,
    onBed(async (bed) => {
      const [volume, host] = [join(bed.dir, 'volume'), join(bed.dir, 'host')];
      mkdirSync(volume);
      mkdirSync(host);
      bed.config.mounts.push(
        { destination: '/volume', type: 'bind', source: volume, options: ['rbind'] },
        { destination: '/volume/target/a/b/c', type: 'tmpfs', source: 'tmpfs' },
        { destination: '/volume/target/a/b/file', type: 'bind', source: '/dev/null', options: ['bind'] },
      );
      const counts = await besieged(bed, volume, 'target', host, runt(bed));
      assert.ok(counts.turns > 1000, `the attacker had only ${counts.turns} turns`);
      for (const message of counts.messages) assert.match(message, /\/mounts\/[89] in config\.json/);
    }),
  );

  test(
    `CVE-2019-18837, CVE-2026-41579, ${way}: /dev swapped for a symlink makes no node on the host`,
    onBed(async (bed) => {
      const host = join(bed.dir, 'host');
      mkdirSync(host);
      // Without a mount of its own, /dev is the image's.
      bed.config.mounts = bed.config.mounts.filter((m) => !m.destination.startsWith('/dev'));
      bed.config.root.readonly = false;
      const counts = await besieged(bed, bed.rootfs, 'dev', host, runt(bed));
      assert.ok(counts.turns > 1000, `the attacker had only ${counts.turns} turns`);
    }),
  );
}

test.run();
