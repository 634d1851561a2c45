/** Options of the runtime are applied, or refused by name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runtimeOptions } from '../../src/shim/options.js';
import { runcOptions } from '../../src/shim/protos.js';

const of = (options: runcOptions.Options.$Properties) => ({
  type_url: 'containerd.runc.v1.Options',
  value: runcOptions.Options.encode(options).finish(),
});

test('none, empty, and those that are applied', () => {
  assert.equal(runtimeOptions(null), { noPivot: false, noNewKeyring: false });
  assert.equal(runtimeOptions(of({ binaryName: 'runc' })), { noPivot: false, noNewKeyring: false });
  assert.equal(runtimeOptions(of({ noPivotRoot: true, noNewKeyring: true })), { noPivot: true, noNewKeyring: true });
});

test('what is not applied is refused by name', () => {
  assert.throws(() => runtimeOptions(of({ systemdCgroup: true })), /systemdCgroup is not supported/);
  assert.throws(() => runtimeOptions(of({ root: '/run/x' })), /root is not supported/);
  const other = { type_url: 'runtimeoptions.v1.Options', value: new Uint8Array([1]) };
  assert.throws(() => runtimeOptions(other), /of type runtimeoptions.v1.Options are not supported/);
});

test.run();
