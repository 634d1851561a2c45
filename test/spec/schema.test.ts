import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import validateConfig from '../../build/gen/validate-config.js';
import validateFeatures from '../../build/gen/validate-features.js';
import validateState from '../../build/gen/validate-state.js';
import { sample } from './sample.js';

const paths = (errors: readonly { instancePath: string; keyword: string }[] | null | undefined): string[] =>
  (errors ?? []).map((e) => `${e.instancePath} ${e.keyword}`);

test('an invalid features document has errors with their paths', () => {
  assert.not.ok(validateFeatures({ ociVersionMin: '1.0.0', hooks: 'x', linux: { seccomp: { enabled: 1 } } }));
  assert.equal(paths(validateFeatures.errors), [' required', '/hooks type', '/linux/seccomp/enabled type']);
});

test('a valid state is accepted, and an invalid one has errors with their paths', () => {
  const state = { ociVersion: '1.3.0', id: 'a', status: 'running', pid: 5, bundle: '/b' };
  assert.ok(validateState(state));
  assert.not.ok(validateState({ ...state, id: '', pid: -1, bundle: undefined }));
  assert.equal(paths(validateState.errors), [' required', '/id minLength', '/pid minimum']);
});

test('the built validator agrees with ajv on the schema', () => {
  const schema = JSON.parse(readFileSync('schemas/config.schema.json', 'utf8'));
  const plain = new Ajv({ allErrors: true }).compile(schema);
  // Each value of the sample, and of a full Linux section, is replaced by values of other types.
  const base = {
    ...sample(),
    hooks: { prestart: [{ path: '/x', args: ['a'], timeout: 1 }] },
    linux: {
      namespaces: [{ type: 'pid', path: '/x' }],
      uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
      timeOffsets: { boottime: { secs: 1, nanosecs: 2 } },
      devices: [{ path: '/x', type: 'c', major: 1, minor: 2, fileMode: 3 }],
      netDevices: { eth0: { name: 'x' } },
      resources: {
        devices: [{ allow: true, type: 'c', major: 1, access: 'r' }],
        memory: { limit: 1, swappiness: 5, disableOOMKiller: true },
        cpu: { shares: 1, cpus: '0', idle: 1 },
        blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 1, minor: 2, rate: 3 }] },
        hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
        rdma: { a: { hcaHandles: 1 } },
        unified: { 'a.b': 'c' },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['a'], action: 'SCMP_ACT_LOG', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] }],
      },
      sysctl: { 'a.b': 'c' },
    },
  };
  assert.ok(validateConfig(base), JSON.stringify(validateConfig.errors));
  let compared = 0;
  const mutate = (holder: Record<string, unknown>): void => {
    for (const key of Object.keys(holder)) {
      const old = holder[key];
      for (const wrong of [null, true, -1, 1.5, 1e300, 'x', '', [], {}, [null], { x: null }, undefined]) {
        holder[key] = wrong;
        const [ours, theirs] = [validateConfig(base), plain(base)];
        assert.is(ours, theirs, `${key} = ${JSON.stringify(wrong)}`);
        assert.equal(
          paths(validateConfig.errors).sort(),
          // Except for the error of the rule that the key violates.
          paths(plain.errors?.filter(({ keyword }) => keyword !== 'propertyNames')).sort(),
          `${key} = ${JSON.stringify(wrong)}`,
        );
        compared++;
      }
      holder[key] = old;
      if (typeof old === 'object' && old !== null) mutate(old as Record<string, unknown>);
    }
  };
  mutate(base as unknown as Record<string, unknown>);
  assert.ok(compared > 1000, `${compared} comparisons`);
});

test('the validators are small, because each KB costs time at every create', () => {
  const size = (name: string): number => readFileSync(`build/gen/validate-${name}.js`).length;
  assert.ok(size('config') < 60_000, `config ${size('config')}`);
  assert.ok(size('features') + size('state') < 12_000);
});

test.run();
