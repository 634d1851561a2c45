/**
 * `features` compared with runc's: intended differences are listed with their reasons in
 * compare-features.expected.json.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { runtPath, top } from '../bed/place.js';

interface Difference {
  /** Path in the document. */
  at: string;
  /** What only runc has: names in a list, or a single value. `*` matches any. */
  runc?: unknown[] | '*';
  /** What only runt has. */
  runt?: unknown[] | '*';
  /** Only with these versions of runc (prefixes). */
  versions?: string[];
  reason: string;
}

/** The lists of a document, and its values as lists of one element, by their paths. */
function flat(value: unknown, at = '', into = new Map<string, unknown[]>()): Map<string, unknown[]> {
  if (typeof value !== 'object' || value === null) into.set(at, [value]);
  else if (Array.isArray(value)) into.set(at, value);
  else for (const [key, v] of Object.entries(value)) flat(v, at === '' ? key : `${at} ${key}`, into);
  return into;
}

const document = (program: string) => flat(JSON.parse(execFileSync(program, ['features'], { encoding: 'utf8' })));

const test = needing('features', 'root', 'runc');
/** WAIT_KILLABLE_RECV needs Linux 5.19. */
const beside = needing('features beside runc', 'root', 'runc', 'linux-5.19');

beside("features differs from runc's only where the list has a reason", () => {
  const version = /version (\S+)/.exec(execFileSync('runc', ['--version'], { encoding: 'utf8' }))![1]!;
  const [theirs, ours] = [document('runc'), document(runtPath)];
  const file = join(top, 'test', 'integration', 'command', 'compare-features.expected.json');
  const expected = JSON.parse(readFileSync(file, 'utf8')) as Difference[];
  assert.ok(expected.every(({ reason }) => reason.length > 20));
  for (const side of ['runc', 'runt'] as const) {
    const [has, lacks] = side === 'runc' ? [theirs, ours] : [ours, theirs];
    // Another version of runc may have fewer or more values than the list: then only what runt lacks needs a reason.
    if (side === 'runt' && !version.startsWith('1.1.')) continue;
    for (const at of new Set([...theirs.keys(), ...ours.keys()])) {
      const only = (has.get(at) ?? []).filter((value) => !lacks.get(at)?.includes(value));
      const listed = expected
        .filter((e) => e.at === at && (!e.versions || e.versions.some((v) => version.startsWith(v))))
        .map((e) => e[side] ?? []);
      if (!listed.includes('*'))
        assert.equal([...only].sort(), [...new Set(listed.flat())].sort(), `${at}: only ${side} has`);
    }
  }
});

test(
  'features reports systemd support as create behaves',
  onBed((bed) => {
    const { cgroup } = JSON.parse(bed.runt(['features']).stdout).linux;
    bed.write();
    const r = bed.runt(['--systemd-cgroup', 'create', '--bundle', bed.bundle, bed.id]);
    assert.is(cgroup.systemd, true);
    // On a host with systemd; elsewhere the error names what is missing.
    if (r.code === 0) assert.is(bed.delete('--force').code, 0);
    else assert.match(r.stderr, /--systemd-cgroup is not supported on cgroup v1|connect to systemd/);
    const rootless = bed.runt(['--systemd-cgroup', '--rootless=true', 'create', '--bundle', bed.bundle, bed.id]);
    assert.is(cgroup.systemdUser, true);
    if (rootless.code === 0) assert.is(bed.delete('--force').code, 0);
    else assert.match(rootless.stderr, /--systemd-cgroup is not supported on cgroup v1|connect to systemd/);
  }),
);

test.run();
beside.run();
