/**
 * Commands on a container below a frozen cgroup, on v1 and v2: none of them waits, and each error names the frozen
 * cgroup.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { programs } from '../bed/place.js';

const test = needing('below a frozen cgroup', 'root', 'freezer', 'programs');

const v1 = existsSync('/sys/fs/cgroup/freezer/tasks');
const [hierarchy, file] = v1 ? ['/sys/fs/cgroup/freezer', 'freezer.state'] : ['/sys/fs/cgroup', 'cgroup.freeze'];
/** ms; a command that waits for a frozen process gives up after 10 s at the earliest. */
const atOnce = 5000;

const freeze = (directory: string): void => writeFileSync(join(directory, file!), v1 ? 'FROZEN' : '1');
const thaw = (directory: string): void => writeFileSync(join(directory, file!), v1 ? 'THAWED' : '0');
/** Waits until everything in the cgroup is frozen. */
const settled = (directory: string): Promise<boolean> =>
  eventually(
    'it is frozen',
    () => readFileSync(join(directory, v1 ? file! : 'cgroup.events'), 'utf8').match(/FROZEN|frozen 1/) !== null,
  );

/** Calls `body` with a cgroup of the test's own, below which the config puts the container. */
const below = (body: (bed: Bed, top: string) => Promise<void>): (() => Promise<void>) =>
  onBed(async (bed) => {
    const name = `${bed.id}-top`;
    bed.config.linux.cgroupsPath = `/${name}/box`;
    bed.config.process.args = ['/bin/sleep', '1000'];
    const top = join(hierarchy!, name);
    mkdirSync(top);
    try {
      await body(bed, top);
    } finally {
      thaw(top);
      bed.delete('--force');
      for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
    }
  });

/** Runs a command that must fail at once, and returns its stderr. */
function refused(command: () => Result): string {
  const begin = Date.now();
  const r = command();
  const took = Date.now() - begin;
  assert.ok(r.code !== 0, 'it fails');
  assert.ok(took < atOnce, `${took} ms`);
  return r.stderr;
}

/** Asserts that the error names the frozen cgroup and how to thaw it. */
const namesIt = (said: string, top: string): void => {
  assert.match(said, new RegExp(`frozen(?: by the cgroup)?:? ${top}(?:: |\n)`));
  assert.match(said, `echo ${v1 ? 'THAWED' : '0'} > ${top}/${file}`);
};

test(
  'create, run and restore fail at once and leave nothing, whether or not the cgroup existed',
  below(async (bed, top) => {
    const images = join(bed.dir, 'images');
    mkdirSync(images);
    const restore = ['--criu', join(programs, 'fake-criu'), 'restore', '--bundle', bed.bundle, '--image-path', images];
    for (const there of [false, true]) {
      if (there) mkdirSync(join(top, 'box'));
      freeze(top);
      for (const command of [() => bed.create(), () => bed.run(), () => bed.runt([...restore, '-d', bed.id])]) {
        const said = refused(command);
        namesIt(said, top);
        assert.is(bed.runt(['state', bed.id]).code, 1);
        assert.is(existsSync(join(top, 'box')), there);
      }
      thaw(top);
    }
    assert.is(bed.create().code, 0);
  }),
);

test(
  'exec fails at once, and exec --ignore-paused waits until the cgroup is thawed',
  below(async (bed, top) => {
    bed.started();
    freeze(top);
    await settled(join(top, 'box'));
    const said = refused(() => bed.runt(['exec', bed.id, 'true']));
    namesIt(said, top);
    assert.match(said, '--ignore-paused');
    const waits = bed.spawn(['exec', '--ignore-paused', bed.id, 'true']);
    await eventually('its process', () => readFileSync(join(top, 'box/cgroup.procs'), 'utf8').split('\n').length > 2);
    assert.is(waits.child.exitCode, null);
    thaw(top);
    assert.is((await waits.exit).code, 0);
  }),
);

test(
  "exec --cgroup fails at once if the given cgroup below the container's is frozen",
  below(async (bed, top) => {
    bed.config.linux.resources = {};
    bed.started();
    const sub = join(top, 'box/sub');
    mkdirSync(sub);
    freeze(sub);
    const asked = `${v1 ? 'freezer:' : ''}/sub`;
    const said = refused(() => bed.runt(['exec', '--cgroup', asked, bed.id, 'true']));
    namesIt(said, sub);
    thaw(sub);
    const r = bed.runt(['exec', '--cgroup', asked, bed.id, 'true']);
    assert.is(r.code, 0, r.stderr);
    rmdirSync(sub);
  }),
);

test(
  'start of a created container fails at once, and works after the cgroup is thawed',
  below(async (bed, top) => {
    assert.is(bed.create().code, 0);
    freeze(top);
    await settled(join(top, 'box'));
    namesIt(
      refused(() => bed.start()),
      top,
    );
    thaw(top);
    assert.is(bed.start().code, 0);
  }),
);

test(
  'resume fails at once and names the frozen cgroup above',
  below(async (bed, top) => {
    bed.started();
    assert.is(bed.runt(['pause', bed.id]).code, 0);
    freeze(top);
    const said = refused(() => bed.runt(['resume', bed.id]));
    assert.match(said, 'its processes stay frozen');
    namesIt(said, top);
    thaw(top);
    assert.is(bed.state().status, 'running', 'what is its own is thawed');
  }),
);

test(
  'on v1 delete --force names the frozen cgroup without waiting, and works after the cgroup is thawed',
  below(async (bed, top) => {
    bed.started();
    freeze(top);
    await settled(join(top, 'box'));
    if (v1)
      namesIt(
        refused(() => bed.delete('--force')),
        top,
      );
    thaw(top);
    assert.is(bed.delete('--force').code, 0);
    assert.not.ok(existsSync(join(top, 'box')));
  }),
);

test.run();
