import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eachUnknownProperty } from '../../../src/spec/judge/unknown-properties.js';
import { sample } from '../sample.js';

type Unknown = { pointer: string; nearest?: string; otherCase?: string };

function unknownProperties(spec: unknown): Unknown[] {
  const unknown: Unknown[] = [];
  eachUnknownProperty(spec, (pointer, { otherCase, nearest }) => {
    const near = nearest();
    if (otherCase !== undefined) unknown.push({ pointer, otherCase });
    else unknown.push(near === undefined ? { pointer } : { pointer, nearest: near });
  });
  return unknown;
}

test('a config with only known properties has no unknown ones', () => {
  assert.equal(unknownProperties(sample()), []);
});

test('unknown properties are found at every level, except for the free keys of maps', () => {
  const spec = {
    ...sample(),
    ociversion: '1',
    annotations: { anything: 'x' },
    mounts: [
      { destination: '/', optons: [] },
      { destination: '/x', 'a/b': 1 },
    ],
    linux: {
      sysctl: { 'net.x': '1' },
      resources: { rdma: { mlx5_1: { hcaHandle: 1 } }, memory: { limt: 5, __proto__x: 1 } },
      timeOffsets: { boottime: { sec: 1 } },
      seccomp: { syscalls: [{ args: [{ idx: 0 }] }] },
      uidMappings: [{ size: 1, hostId: 2 }],
    },
    hooks: { poststart: [{ path: '/x', timeOut: 1 }] },
  };
  assert.equal(unknownProperties(spec), [
    { pointer: '/mounts/0/optons', nearest: 'options' },
    { pointer: '/mounts/1/a~1b' },
    { pointer: '/linux/resources/rdma/mlx5_1/hcaHandle', nearest: 'hcaHandles' },
    { pointer: '/linux/resources/memory/limt', nearest: 'limit' },
    { pointer: '/linux/resources/memory/__proto__x' },
    { pointer: '/linux/timeOffsets/boottime/sec', nearest: 'secs' },
    { pointer: '/linux/seccomp/syscalls/0/args/0/idx' },
    { pointer: '/linux/uidMappings/0/hostId', otherCase: 'hostID' },
    { pointer: '/ociversion', otherCase: 'ociVersion' },
    { pointer: '/hooks/poststart/0/timeOut', otherCase: 'timeout' },
  ]);
});

test('a known name in another case is found as Go folds it, however many letters differ', () => {
  const names = ['LINUX', 'Proce\u017f\u017f', 'HOOK\u017f', 'Anno tations'];
  const spec = { ...sample(), ...Object.fromEntries(names.map((name) => [name, {}])) };
  assert.equal(unknownProperties(spec), [
    { pointer: '/LINUX', otherCase: 'linux' },
    { pointer: '/Proce\u017f\u017f', otherCase: 'process' },
    { pointer: '/HOOK\u017f', otherCase: 'hooks' },
    { pointer: '/Anno tations', nearest: 'annotations' },
  ]);
});

test('__proto__ and constructor are unknown like other keys', () => {
  assert.equal(unknownProperties(JSON.parse('{"__proto__":1,"root":{"constructor":1}}')), [
    { pointer: '/__proto__' },
    { pointer: '/root/constructor' },
  ]);
});

test('$schema, by which editors find a schema, is allowed only at the top', () => {
  assert.equal(unknownProperties({ $schema: 'https://example.com/config.json', ...sample() }), []);
  assert.equal(unknownProperties({ root: { $schema: 'x' } }), [{ pointer: '/root/$schema' }]);
});

test.run();
