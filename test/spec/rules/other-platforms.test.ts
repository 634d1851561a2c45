import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foreignViolations } from '../../../src/spec/rules/other-platforms.js';
import { PLATFORMS } from '../../../src/spec/rules/platform-rules.js';
import { words } from '../sample.js';

const dir = mkdtempSync(join(tmpdir(), 'runt-foreign-'));
test.after(() => rmSync(dir, { recursive: true }));

function complaints(sections: object): string[] {
  const path = join(dir, 'config.json');
  writeFileSync(path, JSON.stringify({ ociVersion: '1.3.0', root: { path: 'r' }, ...sections }));
  return words(foreignViolations(path));
}

test('a valid section of another platform has no violation', () => {
  assert.equal(complaints({ freebsd: { jail: { vnet: 'new', ip4: 'disable', allow: { mount: ['tmpfs'] } } } }), []);
  assert.equal(complaints({ zos: { namespaces: [{ type: 'pid', path: '/x' }] } }), []);
  assert.equal(complaints({ solaris: { anet: [{ linkname: 'net0' }] } }), []);
  assert.equal(complaints({ vm: { kernel: { path: '/k' }, hwConfig: { irqs: [1] } } }), []);
  assert.equal(complaints({ windows: { layerFolders: ['C:\\l'], resources: { cpu: { shares: 5 } } } }), []);
});

test('an invalid value in a section is named, with its page of the spec', () => {
  assert.equal(complaints({ freebsd: { jail: { vnet: 'disable' } } }), [
    '/freebsd/jail/vnet must be one of new, inherit',
  ]);
  assert.equal(complaints({ zos: { namespaces: [{ path: '/x' }] } }), ['/zos/namespaces/0/type must be given']);
  assert.equal(complaints({ solaris: { milestone: 1 } }), ['/solaris/milestone must be a string']);
  assert.equal(complaints({ vm: { kernel: {} } }), ['/vm/kernel/path must be given']);
  assert.equal(complaints({ windows: { layerFolders: [] } }), ['/windows/layerFolders must have at least one entry']);
  assert.is(foreignViolations(join(dir, 'config.json'))[0]?.see, 'runtime-spec config-windows.md');
});

test('every refused platform has a schema', () => {
  for (const section of Object.keys(PLATFORMS)) {
    assert.equal(complaints({ [section]: 'x' }), [`/${section} must be an object`]);
  }
});

test.run();
