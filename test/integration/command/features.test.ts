/** `features` beside that of runc: what is meant to differ stands in compare-features.expected.json with its reason. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { runtPath, top } from '../bed/place.js';

interface Difference {
  /** Path in the document. */
  at: string;
  /** What runc has there and runt has not: names of a list, or the one value. `*` is any. */
  runc?: unknown[] | '*';
  /** What runt has there and runc has not. */
  runt?: unknown[] | '*';
  /** Only with these versions of runc, by their beginnings. */
  versions?: string[];
  reason: string;
}

/** The lists of a document, and its values as lists of one, by their paths. */
function flat(value: unknown, at = '', into = new Map<string, unknown[]>()): Map<string, unknown[]> {
  if (typeof value !== 'object' || value === null) into.set(at, [value]);
  else if (Array.isArray(value)) into.set(at, value);
  else for (const [key, v] of Object.entries(value)) flat(v, at === '' ? key : `${at} ${key}`, into);
  return into;
}

const document = (program: string) => flat(JSON.parse(execFileSync(program, ['features'], { encoding: 'utf8' })));

const test = needing('features', 'root', 'runc');
/** WAIT_KILLABLE_RECV is of 5.19. */
const beside = needing('features beside runc', 'root', 'runc', 'linux-5.19');

beside('differs from runc in what is listed, for the reasons that are listed', () => {
  const version = /version (\S+)/.exec(execFileSync('runc', ['--version'], { encoding: 'utf8' }))![1]!;
  const [theirs, ours] = [document('runc'), document(runtPath)];
  const file = join(top, 'test', 'integration', 'command', 'compare-features.expected.json');
  const expected = JSON.parse(readFileSync(file, 'utf8')) as Difference[];
  assert.ok(expected.every(({ reason }) => reason.length > 20));
  for (const side of ['runc', 'runt'] as const) {
    const [has, lacks] = side === 'runc' ? [theirs, ours] : [ours, theirs];
    // Another runc than the one that the list was made with has fewer or more: only what runt lacks must be explained then.
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
  'what it says of systemd is what create does',
  onBed((bed) => {
    const { cgroup } = JSON.parse(bed.runt(['features']).stdout).linux;
    bed.write();
    const r = bed.runt(['--systemd-cgroup', 'create', '--bundle', bed.bundle, bed.id]);
    assert.is(cgroup.systemd, true);
    // On a host that has it; elsewhere the error says what is missing.
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
