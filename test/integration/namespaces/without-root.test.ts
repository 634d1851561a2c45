/** A container of a user without privileges, helpers and cgroups: one id in a user namespace. */
import { chownSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';
import type { Config } from '../bed/config.js';
import { nobody } from '../bed/needs.js';
import { runtPath } from '../bed/place.js';

const test = needing('without root', 'user-namespaces', 'open-checkout');

const isRoot = process.geteuid?.() === 0;
const uid = isRoot ? nobody : process.getuid!();
const gid = isRoot ? nobody : process.getgid!();

/** PATH is a directory without programs, so that newuidmap is not found. Root switches to "nobody". */
function asNobody(bed: Bed): (...args: string[]) => Result {
  const program = join(bed.dir, 'runt');
  copyFileSync(runtPath, program);
  const empty = join(bed.dir, 'empty');
  mkdirSync(empty);
  if (isRoot) for (const path of [bed.dir, bed.bundle]) chownSync(path, uid, gid);
  const options = { program, env: { PATH: empty, XDG_RUNTIME_DIR: bed.dir }, ...(isRoot && { uid, gid }) };
  const call = (...args: string[]) => bed.runt(args, options);
  const spec = call('spec', '--rootless', '--bundle', bed.bundle);
  assert.is(spec.code, 0, spec.stderr);
  bed.config = JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')) as Config;
  bed.config.process.terminal = false;
  return call;
}

test(
  'run maps one id, mounts, and exits with the status of the process',
  onBed((bed) => {
    const call = asNobody(bed);
    const files = ['/proc/self/uid_map', '/proc/self/gid_map', '/proc/self/setgroups'];
    const script = `id -u; id -g; cat ${files.join(' ')} /proc/self/mountinfo; kill -0 1 && exit 7`;
    bed.config.process.args = ['/bin/sh', '-c', script];
    bed.write();
    const r = call('run', '--bundle', bed.bundle, bed.id);
    assert.is(r.code, 7, r.stderr);
    assert.is(r.stderr, '');
    const [user, group, users, groups, setgroups, ...lines] = r.stdout.trimEnd().split('\n');
    assert.equal([user, group, setgroups], ['0', '0', 'deny']);
    assert.equal(
      [users, groups].map((map) => map?.trim().split(/\s+/)),
      [
        ['0', `${uid}`, '1'],
        ['0', `${gid}`, '1'],
      ],
    );
    const mounts = new Map(
      lines
        .filter((line) => line.includes(' - '))
        .map((line) => {
          const [, , , , path = '', options = ''] = line.split(' ');
          const [type = ''] = line.slice(line.indexOf(' - ') + 3).split(' ');
          return [path, { type, readonly: options.split(',').includes('ro') }] as const;
        }),
    );
    assert.is(mounts.get('/')?.readonly, true);
    assert.equal([mounts.get('/proc')?.type, mounts.get('/dev')?.type], ['proc', 'tmpfs']);
    assert.not.ok(
      [...mounts.keys()].some((path) => path.startsWith(bed.dir)),
      'no mount of the host is seen',
    );
  }),
);

test(
  'create, start, exec and delete work without root, and nothing is left',
  onBed((bed) => {
    const call = asNobody(bed);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const done = (...args: string[]): string => {
      const r = call(...args);
      assert.is(r.code, 0, `${args.join(' ')}: ${r.stderr}`);
      return r.stdout;
    };
    done('create', '--bundle', bed.bundle, bed.id);
    done('start', bed.id);
    const { pid, status } = JSON.parse(done('state', bed.id)) as { pid: number; status: string };
    assert.is(status, 'running');
    const owner = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    assert.is(owner, `${uid}`);
    assert.is(
      readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
      readFileSync('/proc/self/cgroup', 'utf8'),
      'it is in the cgroups of its caller',
    );
    assert.is(done('exec', bed.id, '/bin/id', '-u'), '0\n');
    done('delete', '--force', bed.id);
    assert.is(call('state', bed.id).code, 1);
  }),
);

test.run();
