/** The plan's bytes in parts: the same as in one, however long the plan is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/plan/compile.js';
import { encodeParts, encodePlan } from '../../src/plan/encode-plan.js';
import { cgroupV1, cgroupV2, options as hostOptions, hostWith } from '../../src/plan/ideal-hosts.js';
import { entriesOf } from '../../src/plan/op-list.js';
import type { Op } from '../../src/plan/plan-ops.js';
import type { Spec } from '../../src/spec/config-types.js';
import { defaultSpec } from '../../src/spec/default-config.js';
import { RuntError } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';

useNodeHost([]);
const test = suite('encode plan');
const options = { trace: false, startSocket: 7, slots: [4, -1] };

const masks = (count: number, path: string): Op[] =>
  Array.from({ length: count }, (_, i) => ({
    op: 'readonlyPath',
    at: `/linux/readonlyPaths/${i}`,
    path: `${path}${i}`,
  }));

test('a long plan has several parts, with one head before the operations', () => {
  for (const [ops, parts] of [
    [masks(3, '/a'), 1],
    [masks(20_000, '/a/long/path/of/a/mask/'), 10],
    [masks(3, `/${'x'.repeat(100_000)}`), 5],
  ] as const) {
    const plan = { version: 1, ops } as const;
    const encoded = encodeParts(plan, options);
    assert.ok(encoded.length >= parts && (parts > 1 || encoded.length === 1), `${encoded.length}`);
    const text = Buffer.concat(encoded).toString();
    const body = ops.map((op, i) => `46\0${i}\0${(op as { path: string }).path}\0`).join('');
    assert.ok(text === `runt-plan-1\0${ops.length}\x000\x007\x002\x004\0\0${body}`);
    assert.ok(text === Buffer.from(encodePlan(plan, options)).toString());
  }
});

test('a NUL in any part is refused, with the operation that has it', () => {
  for (const at of [0, 10_000, 19_999]) {
    const ops = masks(20_000, '/a/long/path/of/a/mask/');
    ops[at] = { op: 'readonlyPath', at: '/linux/readonlyPaths/x', path: '/a\0b' };
    assert.throws(
      () => encodeParts({ version: 1, ops }, options),
      (e: RuntError) => e instanceof RuntError && e.code === 'ERR_SPEC_VALUE' && e.pointer === '/linux/readonlyPaths/x',
    );
  }
});

const paths = (start: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${start}${i}`);

test('operations that are made when they are read are the same on the wire as a list of them', () => {
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const bind = { type: 'bind', options: ['rbind', 'ro', 'nosuid'] };
  const changes: Record<string, (spec: Spec) => void> = {
    'binds and file systems of a kind': (spec) => {
      for (let i = 0; i < 300; i++) {
        spec.mounts?.push({ destination: `/b${i}`, source: i % 7 === 0 ? `relative/${i}` : `/etc/${i}`, ...bind });
        spec.mounts?.push({
          destination: `//t${i}/`,
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['size=64k', 'private'],
        });
        if (i % 9 === 0) spec.mounts?.push({ destination: `/r${i}`, type: 'tmpfs', options: ['ro'] });
      }
    },
    'mounts with fields of their own': (spec) => {
      spec.linux = { ...spec.linux, rootfsPropagation: 'rshared' };
      for (let i = 0; i < 30; i++) {
        spec.mounts?.push({ destination: '/', source: `/b${i}`, ...bind });
        spec.mounts?.push({
          destination: `/m${i}`,
          source: '/a',
          ...bind,
          uidMappings: mappings,
          gidMappings: mappings,
        });
        spec.mounts?.push({ destination: `/n${i}`, source: `/bundle/rootfs/m${i}`, ...bind });
      }
    },
    'paths, devices and sysctls': (spec) => {
      spec.linux = {
        ...spec.linux,
        readonlyPaths: ['/a', '/a/', 'b', '/proc/x', '/a', ...paths('/r', 70)],
        maskedPaths: ['/m', '//m', '/__proto__', '/m/.', ...paths('/m', 70)],
        devices: [
          { path: '/dev/x', type: 'c', major: 1, minor: 2 },
          { path: '/dev//ptmx', type: 'c', major: 5, minor: 2 },
          ...paths('/dev/d', 70).map((path, i) => ({ path, type: 'b' as const, major: 8, minor: i })),
        ],
        sysctl: Object.fromEntries(paths('net.ipv4.conf.e', 70).map((key) => [key, '1'])),
        resources: {
          devices: paths('', 70).map((_, i) => ({ allow: true, type: 'c', major: 7, minor: i, access: 'rm' })),
        },
      };
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    for (const cgroup of [cgroupV1, cgroupV2]) {
      const spec = defaultSpec({ rootless: false, uid: 0, gid: 0, cgroupV2: cgroup === cgroupV2 });
      change(spec);
      const { plan } = compile(spec, hostWith(cgroup), hostOptions);
      const made = { ...plan, ops: [...plan.ops] };
      assert.ok(entriesOf(plan.ops).some((entry) => typeof entry === 'number'));
      const [text, expected] = [plan, made].map((p) => Buffer.from(encodePlan(p, options)).toString());
      assert.is(text, expected, what);
      assert.equal(made.ops, [...plan.ops], 'the same operations each time');
    }
  }
});

test.run();
