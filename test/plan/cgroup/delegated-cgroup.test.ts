/** `run.oci.delegate-cgroup` in the plan: the cgroup of the limits, that of the process, and the errors. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scopes } from '../../../src/plan/cgroup/systemd-scope.js';
import { compile } from '../../../src/plan/compile.js';
import type { CompileOptions } from '../../../src/plan/host-facts.js';
import type { RuntError } from '../../../src/sys/error.js';
import { sample } from '../../spec/sample.js';
import { compileOptions, hostFacts, v1, v2 } from '../facts.js';

const name = 'run.oci.delegate-cgroup';

function compiled(
  value: string,
  options: Partial<CompileOptions> = {},
  cgroup = v2,
  more: Record<string, string> = {},
) {
  const spec = sample();
  spec.linux!.cgroupsPath = options.systemd ? 'a.slice:p:n' : '/box';
  spec.linux!.resources = { pids: { limit: 7 } };
  spec.annotations = { [name]: value, ...more };
  return compile(spec, hostFacts({ cgroup }), compileOptions(options));
}

/** The cgroup operations of the plan, in order. */
const cgroupsOf = ({ plan }: ReturnType<typeof compiled>): string[] =>
  [...plan.ops].flatMap((op) => {
    if (op.op === 'clone') return [`clone in ${op.cgroup}`];
    if (op.op === 'cgroupControllers') return [`controllers ${op.top} to ${op.path}`];
    if (op.op === 'cgroupCreate' || op.op === 'systemdScope' || op.op === 'cgroupWrite') return [`${op.op} ${op.path}`];
    return [];
  });

test('limits are set above, and the process starts in the cgroup below, with the same controllers', () => {
  const done = compiled('/init/a');
  assert.equal(cgroupsOf(done), [
    'cgroupCreate /sys/fs/cgroup/box',
    'controllers /sys/fs/cgroup to /sys/fs/cgroup/box',
    'cgroupWrite /sys/fs/cgroup/box/pids.max',
    'cgroupCreate /sys/fs/cgroup/box/init/a',
    'controllers /sys/fs/cgroup/box to /sys/fs/cgroup/box/init/a',
    'clone in /sys/fs/cgroup/box/init/a',
  ]);
  assert.is(done.cgroups.unified!.path, '/sys/fs/cgroup/box', 'the cgroup that update, stats, pause and delete use');
});

test('under systemd the delegated cgroup is below that of the unit and of run.oci.systemd.subgroup', () => {
  const scope = '/sys/fs/cgroup/a.slice/p-n.scope';
  const plain = cgroupsOf(compiled('d', { systemd: scopes() }));
  assert.is(plain[0], `systemdScope ${scope}`);
  assert.equal(plain.slice(-3), [
    `cgroupCreate ${scope}/d`,
    `controllers ${scope} to ${scope}/d`,
    `clone in ${scope}/d`,
  ]);
  const both = cgroupsOf(compiled('d', { systemd: scopes() }, v2, { 'run.oci.systemd.subgroup': 's' }));
  assert.equal(both.slice(0, 2), [`systemdScope ${scope}`, `cgroupCreate ${scope}/s`]);
  assert.ok(both.includes(`cgroupWrite ${scope}/s/pids.max`));
  assert.is(both.at(-1), `clone in ${scope}/s/d`);
});

test('an empty annotation has no effect, as with crun', () => {
  assert.ok(cgroupsOf(compiled('')).includes('clone in /sys/fs/cgroup/box'));
});

test('an invalid path, cgroup v1 and a container without a cgroup are refused', () => {
  const refusal = (f: () => unknown): RuntError => {
    try {
      f();
    } catch (error) {
      return error as RuntError;
    }
    throw new Error('nothing was thrown');
  };
  for (const value of ['/', '..', 'a/../b', 'a b', 'memory.max', '.x', 'x'.repeat(256)]) {
    const e = refusal(() => compiled(value));
    assert.equal([e.code, e.pointer], ['ERR_SPEC_VALUE', `/annotations/${name}`], value);
  }
  const onV1 = refusal(() => compiled('a', {}, v1));
  assert.equal([onV1.code, onV1.message.includes('needs cgroup v2 alone')], ['ERR_UNSUPPORTED', true]);
  const spec = sample();
  delete spec.linux!.resources;
  spec.annotations = { [name]: 'a' };
  const none = refusal(() => compile(spec, hostFacts({ cgroup: v2 }), compileOptions({ noCgroup: true })));
  assert.equal([none.code, none.pointer], ['ERR_UNSUPPORTED', `/annotations/${name}`]);
});

test.run();
