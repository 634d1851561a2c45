/** Options of the runtime are applied, or refused by name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runtimeOptions } from '../../src/shim/options.js';
import { runtimeOptions as criOptions, linuxRunc, runcOptions } from '../../src/shim/protos.js';

const of = (options: runcOptions.Options.$Properties) => ({
  type_url: 'containerd.runc.v1.Options',
  value: runcOptions.Options.encode(options).finish(),
});

test('none, empty, and those that are applied', () => {
  const none = { noPivot: false, noNewKeyring: false, root: '', ioGid: 0, shimCgroup: '' };
  assert.equal(runtimeOptions(null), none);
  assert.equal(runtimeOptions(of({ binaryName: 'runc' })), none);
  assert.equal(runtimeOptions({ type_url: 'runtimeoptions.v1.Options' }), none);
  const some = { root: '/run/x', ioGid: 5, shimCgroup: 'a/b' };
  assert.equal(runtimeOptions(of({ ...some, noPivotRoot: true, noNewKeyring: true, ioUid: 4 })), {
    ...some,
    noPivot: true,
    noNewKeyring: true,
  });
});

const older = (options: linuxRunc.CreateOptions.$Properties) => ({
  type_url: 'containerd.linux.runc.CreateOptions',
  value: linuxRunc.CreateOptions.encode(options).finish(),
});

test('those that containerd 1.6 and 1.7 give a runtime of another type', () => {
  const some = { ioGid: 5, shimCgroup: 'a/b' };
  const { root, ...rest } = runtimeOptions(older({ ...some, ioUid: 100000, noPivotRoot: true }));
  assert.is(root, '');
  assert.equal(rest, { ...some, noPivot: true, noNewKeyring: false });
  assert.equal(runtimeOptions(older({ noNewKeyring: true })), { ...runtimeOptions(null), noNewKeyring: true });
  assert.throws(() => runtimeOptions(older({ openTcp: true })), /openTcp is not supported/);
  assert.throws(() => runtimeOptions(older({ emptyNamespaces: ['network'] })), /emptyNamespaces is not supported/);
});

test('what is not applied is refused by name', () => {
  assert.throws(() => runtimeOptions(of({ systemdCgroup: true })), /systemdCgroup is not supported/);
  assert.throws(() => runtimeOptions(of({ root: 'run/x' })), /root is no absolute path: run\/x/);
  const value = criOptions.Options.encode({ configPath: '/etc/x.toml' }).finish();
  assert.throws(() => runtimeOptions({ type_url: 'runtimeoptions.v1.Options', value }), /as a file \(\/etc\/x.toml\)/);
  const other = { type_url: 'x.Options', value: new Uint8Array([1]) };
  assert.throws(() => runtimeOptions(other), /of type x.Options are not supported/);
});

test.run();
