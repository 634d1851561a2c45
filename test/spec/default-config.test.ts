import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultSpec } from '../../src/spec/default-config.js';
import { complaints } from './sample.js';

const uid = process.geteuid?.() ?? 0;
const gid = process.getegid?.() ?? 0;
const cgroupV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');

test('the default configs are valid', () => {
  for (const rootless of [false, true]) assert.equal(complaints(defaultSpec({ rootless, uid: 1000, gid: 100 })), []);
});

test('a rootless config maps the ids of the caller', () => {
  const { linux } = defaultSpec({ rootless: true, uid: 1000, gid: 100 });
  assert.equal(linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.equal(linux?.gidMappings, [{ containerID: 0, hostID: 100, size: 1 }]);
});

test('on cgroup v2 a config has a cgroup namespace, as with runc', () => {
  const types = (rootless: boolean) =>
    defaultSpec({ rootless, uid: 0, gid: 0, cgroupV2: true }).linux?.namespaces?.map(({ type }) => type);
  assert.equal(types(false), ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup']);
  assert.equal(types(true), ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user']);
});

let runc = '';
try {
  runc = execFileSync('runc', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
} catch {
  console.log('# skip defaults of runc: runc: runc is not installed');
}
// Other versions have other defaults; runt follows 1.1.
if (runc !== '' && !runc.startsWith('runc version 1.1.')) {
  console.log(`# skip defaults of runc: the installed version is ${runc}, the comparison needs 1.1`);
}

(runc.startsWith('runc version 1.1.') ? test : test.skip)(
  'the defaults equal those of runc, except for version and hostname',
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'runt-spec-'));
    try {
      for (const rootless of [false, true]) {
        execFileSync('runc', ['spec', ...(rootless ? ['--rootless'] : [])], { cwd: dir });
        const theirs = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
        rmSync(join(dir, 'config.json'));
        assert.equal(defaultSpec({ rootless, uid, gid, cgroupV2 }), {
          ...theirs,
          ociVersion: '1.3.0',
          hostname: 'runt',
        });
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
);

test.run();
