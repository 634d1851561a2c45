/** Writable cgroups in the plan: by the caller's option and by the annotation, and what is refused. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../src/plan/compile.js';
import type { Spec } from '../../../src/spec/config-types.js';
import type { RuntError } from '../../../src/sys/error.js';
import { MOUNT_ATTR_RDONLY } from '../../../src/sys/linux.js';
import { sample } from '../../spec/sample.js';
import { compileOptions, hostFacts, v1, v2 } from '../facts.js';

const annotation = 'io.runt.cgroup-writable';

/** A config as containerd's CRI makes it: a cgroup namespace, and the container's cgroup read-only. */
function cri(change: (spec: Spec) => void = () => {}): Spec {
  const spec = sample();
  spec.linux!.cgroupsPath = '/box';
  spec.linux!.resources = { pids: { limit: 7 } };
  spec.linux!.namespaces = [{ type: 'mount' }, { type: 'pid' }, { type: 'cgroup' }];
  spec.process!.user = { uid: 1000, gid: 1000 };
  spec.mounts = [
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'ro', 'noexec'] },
  ];
  change(spec);
  return spec;
}

const compiled = (spec: Spec, cgroupWritable: boolean, cgroup = v2) =>
  compile(spec, hostFacts({ cgroup }), { ...compileOptions(), ...(cgroupWritable && { cgroupWritable }) });

function refusal(spec: Spec, cgroupWritable: boolean, cgroup = v2): RuntError {
  try {
    compiled(spec, cgroupWritable, cgroup);
  } catch (error) {
    return error as RuntError;
  }
  throw new Error('it was compiled');
}

/** What the plan does about cgroups. */
const cgroupsOf = ({ plan }: ReturnType<typeof compiled>): string[] =>
  [...plan.ops].flatMap((op) => {
    if (op.op === 'clone') return [`clone in ${op.cgroup}`];
    if (op.op === 'cgroupCreate') return [`make ${op.path}`];
    if (op.op === 'cgroupWrite') return [`${op.path} = ${op.value.trim()}`];
    if (op.op === 'cgroupOwner') return [`${op.path} belongs to ${op.uid}`];
    if (op.op === 'mountFs' && op.fstype === 'cgroup2')
      return [Number(op.attrs) & MOUNT_ATTR_RDONLY ? 'read-only' : 'writable'];
    return [];
  });

const wanted = [
  'make /sys/fs/cgroup/box',
  '/sys/fs/cgroup/box/pids.max = 7',
  '/sys/fs/cgroup/box/cgroup.max.descendants = 250',
  '/sys/fs/cgroup/box/cgroup.max.depth = 50',
  'make /sys/fs/cgroup/box/container',
  '/sys/fs/cgroup/box/container belongs to 1000',
  'clone in /sys/fs/cgroup/box/container',
  'writable',
];
const usual = [wanted[0], 'clone in /sys/fs/cgroup/box', wanted[1], 'read-only'];

test('the option or the annotation gives the container a writable cgroup below its limits, bounded and its own', () => {
  const byOption = compiled(cri(), true);
  assert.equal(cgroupsOf(byOption), wanted);
  assert.is(byOption.cgroups.unified!.path, '/sys/fs/cgroup/box', 'the cgroup that update, stats and delete use');
  const annotated = cri((spec) => {
    spec.annotations = { [annotation]: 'true' };
  });
  const byAnnotation = compiled(annotated, false);
  assert.equal(cgroupsOf(byAnnotation), wanted);
  const made = [...byAnnotation.plan.ops].find((op) => op.op === 'cgroupCreate' && op.path.endsWith('/container'));
  assert.is(made?.at, `/annotations/${annotation}`);
});

test('without either, or if the annotation is false, the cgroup is read-only', () => {
  assert.equal(cgroupsOf(compiled(cri(), false)), usual);
  const refused = cri((spec) => {
    spec.annotations = { [annotation]: 'false' };
  });
  assert.equal(cgroupsOf(compiled(refused, true)), usual);
});

test('run.oci.delegate-cgroup names the cgroup, and the config the bounds', () => {
  const spec = cri((s) => {
    s.annotations = { 'run.oci.delegate-cgroup': 'own' };
    s.linux!.resources = { unified: { 'cgroup.max.descendants': '9' } };
  });
  const ops = cgroupsOf(compiled(spec, true));
  assert.equal(
    ops.filter((line) => line.includes('max')),
    ['/sys/fs/cgroup/box/cgroup.max.descendants = 9', '/sys/fs/cgroup/box/cgroup.max.depth = 50'],
  );
  assert.ok(ops.includes('clone in /sys/fs/cgroup/box/own') && ops.includes('writable'));
});

test('a container that mounts no cgroups is as without the option: a pause container', () => {
  const pause = cri((spec) => {
    spec.mounts = [];
  });
  assert.equal(cgroupsOf(compiled(pause, true)), usual.slice(0, 3));
});

test('cgroup v1, and a namespace shared with the host, are refused by name; a privileged container is not', () => {
  const shared = (options: string[]) =>
    cri((spec) => {
      spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'cgroup');
      spec.mounts![0]!.options = options;
    });
  for (const [error, why] of [
    [refusal(cri(), true, v1), 'the option CgroupWritable needs cgroup v2 alone'],
    [refusal(shared(['ro']), true), 'the option CgroupWritable needs a cgroup namespace of the container’s own'],
  ] as const)
    assert.equal([error.code, error.message, error.pointer], ['ERR_UNSUPPORTED', why, undefined]);
  assert.ok(cgroupsOf(compiled(shared(['rw']), true)).includes('clone in /sys/fs/cgroup/box'));
  const annotated = (value: string) =>
    cri((spec) => {
      spec.annotations = { [annotation]: value };
    });
  const onV1 = refusal(annotated('true'), false, v1);
  assert.equal([onV1.message, onV1.pointer], [`${annotation} needs cgroup v2 alone`, `/annotations/${annotation}`]);
  const odd = refusal(annotated('1'), false);
  assert.equal([odd.code, odd.message, odd.value], ['ERR_SPEC_VALUE', `${annotation} must be true or false`, '1']);
});

test.run();
