/** Devices of CDI: which file has them, and what of it reaches the config. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Spec } from '../../../src/spec/config-types.js';
import { specOf } from '../../../src/spec/options/spec-options.js';
import { complaints } from '../sample.js';
import { files, lookups } from './lookups.js';

const test = suite('CDI');
const caller = { uid: 0, gid: 0, bundle: '/b', absolute: (path: string) => path, name: (option: string) => option };
const of = (name: string, more = {}) => specOf({ device: [name], ...more }, caller, lookups) as Required<Spec>;
const refused = (name: string): string => {
  try {
    of(name);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${name} was accepted`);
};
const file = (devices: object[], containerEdits = {}) =>
  JSON.stringify({ cdiVersion: '0.6.0', kind: 'v.com/gpu', devices, containerEdits });

test('the edits of the file and of the device are applied', () => {
  const edits = {
    deviceNodes: [{ path: '/dev/g', hostPath: '/dev/fuse', permissions: 'rw' }],
    mounts: [{ hostPath: '/lib/x', containerPath: '/x', options: ['ro'] }],
    hooks: [{ hookName: 'createContainer', path: '/bin/h', args: ['h', 'y'] }],
    additionalGIDs: [44],
  };
  files['/etc/cdi/v.json'] = file([{ name: 'one', containerEdits: edits }], { env: ['ALL=1'] });
  const spec = of('v.com/gpu=one');
  assert.equal(complaints(spec), []);
  assert.ok(spec.process.env!.includes('ALL=1'));
  assert.equal(spec.process.user.additionalGids, [44]);
  assert.equal(spec.linux.devices![0]!.path, '/dev/g');
  assert.equal(spec.linux.resources!.devices!.at(-1)!.access, 'rw');
  const mount = { destination: '/x', type: 'bind', source: '/lib/x', options: ['rbind', 'ro'] };
  assert.equal(spec.mounts.at(-1), mount);
  assert.equal(spec.hooks.createContainer, [{ path: '/bin/h', args: ['h', 'y'] }]);
  assert.is(of('v.com/gpu=one', { uidMap: ['0:9:9'] }).linux.devices, undefined);
});

test('a later directory goes first', () => {
  files['/var/run/cdi/w.json'] = file([{ name: 'one', containerEdits: { env: ['NEW=1'] } }]);
  assert.ok(of('v.com/gpu=one').process.env!.includes('NEW=1'));
  delete files['/var/run/cdi/w.json'];
});

test('what cannot be applied is refused by its file', () => {
  assert.match(refused('v.com/gpu=two'), /device "v.com\/gpu=two" is in no JSON file of \/etc\/cdi, \/var\/run\/cdi$/);
  files['/etc/cdi/y.yaml'] = '';
  assert.match(refused('v.com/gpu=two'), /runt reads no YAML: convert \/etc\/cdi\/y.yaml to JSON/);
  files['/etc/cdi/w.json'] = file([
    { name: 'rdt', containerEdits: { intelRdt: {} } },
    { name: 'gone', containerEdits: { deviceNodes: [{ path: '/none' }] } },
    { name: 'one', containerEdits: {} },
  ]);
  assert.match(refused('v.com/gpu=rdt'), /has intelRdt, which runt does not apply, in \/etc\/cdi\/w.json/);
  assert.match(refused('v.com/gpu=gone'), /has the device node \/none, which the host has not,/);
  assert.match(refused('v.com/gpu=one'), /is in \/etc\/cdi\/v.json and in \/etc\/cdi\/w.json/);
  files['/etc/cdi/w.json'] = '[';
  assert.match(refused('v.com/gpu=one'), /w.json is not a JSON object/);
});

test.run();
