/** Options of containerd's runtime are applied, or refused by name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runtimeOptions } from '../../../src/shim/containerd/runtime-options.js';
import { runtimeOptions as criOptions, linuxRunc, runcOptions } from '../../../src/shim/transport/protos.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const of = (options: runcOptions.Options.$Properties) => ({
  type_url: 'containerd.runc.v1.Options',
  value: runcOptions.Options.encode(options).finish(),
});
const cri = (options: criOptions.Options.$Properties) => ({
  type_url: 'runtimeoptions.v1.Options',
  value: criOptions.Options.encode(options).finish(),
});
const toml = (text: string) => cri({ configBody: new TextEncoder().encode(text) });

const none = {
  noPivot: false,
  noNewKeyring: false,
  systemdCgroup: false,
  root: '',
  ioGid: 0,
  shimCgroup: '',
  criuPath: '',
  criuImagePath: '',
  criuWorkPath: '',
  notes: [] as string[],
};

async function rejected(promise: Promise<unknown>, what: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (e: Error) => e,
  );
  assert.match(error?.message ?? 'nothing', what);
}

test('missing, empty and supported options are applied', async () => {
  assert.equal(await runtimeOptions(null), none);
  assert.equal(await runtimeOptions({ type_url: 'runtimeoptions.v1.Options' }), none);
  const some = { root: '/run/x', ioGid: 5, shimCgroup: 'a/b', systemdCgroup: true, criuPath: '/sbin/criu' };
  const paths = { criuImagePath: '/i', criuWorkPath: '/w' };
  assert.equal(await runtimeOptions(of({ ...some, ...paths, noPivotRoot: true, noNewKeyring: true })), {
    ...none,
    ...some,
    ...paths,
    noPivot: true,
    noNewKeyring: true,
  });
});

const older = (options: linuxRunc.CreateOptions.$Properties) => ({
  type_url: 'containerd.linux.runc.CreateOptions',
  value: linuxRunc.CreateOptions.encode(options).finish(),
});

test('options that containerd 1.6 and 1.7 send to a runtime of another type are applied', async () => {
  const some = { ioGid: 5, shimCgroup: 'a/b', criuImagePath: '/i' };
  assert.equal(await runtimeOptions(older({ ...some, noPivotRoot: true })), { ...none, ...some, noPivot: true });
  assert.equal(await runtimeOptions(older({ noNewKeyring: true })), { ...none, noNewKeyring: true });
  await rejected(runtimeOptions(older({ openTcp: true })), /openTcp is not supported/);
  await rejected(runtimeOptions(older({ emptyNamespaces: ['network'] })), /emptyNamespaces is not supported/);
});

test('binary_name and io_uid are ignored, with a note', async () => {
  const { notes } = await runtimeOptions(of({ binaryName: '/usr/bin/crun', ioUid: 4 }));
  assert.is(notes.length, 2);
  assert.match(notes[0] as string, /binary_name \(\/usr\/bin\/crun\) has no effect/);
  assert.match(notes[1] as string, /io_uid \(4\) has no effect/);
});

test("containerd's config section for the runtime is read from the message or from a file", async () => {
  const text =
    'SystemdCgroup = true # yes\nroot = "/run/\\u0078"\n\nIoGid = 1_0\r\nCriuWorkPath = \'/a\\b\'\nTypeUrl = "x"\n';
  const expected = { ...none, systemdCgroup: true, root: '/run/x', ioGid: 10, criuWorkPath: '/a\\b' };
  assert.equal(await runtimeOptions(toml(text)), expected);
  const dir = mkdtempSync(join(tmpdir(), 'runt-options-'));
  try {
    writeFileSync(join(dir, 'x.toml'), text);
    assert.equal(await runtimeOptions(cri({ configPath: join(dir, 'x.toml') })), expected);
    await rejected(runtimeOptions(cri({ configPath: join(dir, 'y.toml') })), /read the runtime options .*y\.toml: /);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the address and version of the task API, which only containerd uses, are accepted', async () => {
  const none = await runtimeOptions(of({}));
  assert.equal(await runtimeOptions(of({ taskApiAddress: 'grpc+/run/x.sock', taskApiVersion: 3 })), none);
  assert.equal(await runtimeOptions(toml('TaskApiAddress = "grpc+/run/x.sock"\nTaskApiVersion = 3')), none);
});

test('an unsupported option is refused by name', async () => {
  await rejected(runtimeOptions(of({ root: 'run/x' })), /root must be an absolute path, not run\/x/);
  const other = { type_url: 'x.Options', value: new Uint8Array([1]) };
  await rejected(runtimeOptions(other), /of type x.Options are not supported/);
  await rejected(runtimeOptions(toml('Colour = "red"')), /the runtime option Colour is not known/);
  await rejected(runtimeOptions(toml('SystemdCgroup = "yes"')), /SystemdCgroup must be of type boolean, not yes/);
  await rejected(
    runtimeOptions(toml('UnsafeAnnotations = "no"')),
    /UnsafeAnnotations must be allow, warn or deny, not no/,
  );
  await rejected(runtimeOptions(toml('UnsafeAnnotations = true')), /must be allow, warn or deny, not true/);
  assert.is((await runtimeOptions(toml('unsafeannotations = "deny"'))).unsafeAnnotations, 'deny');
  assert.is((await runtimeOptions(toml('HookTimeout = 20'))).hookTimeout, 20);
  assert.is((await runtimeOptions(toml('hooktimeout = 0'))).hookTimeout, 0);
  assert.is((await runtimeOptions(toml('CgroupWritable = true'))).cgroupWritable, true);
  await rejected(runtimeOptions(toml('CgroupWritable = 1')), /CgroupWritable must be of type boolean, not 1/);
  for (const wrong of ['"20"', '1.5', '-1', 'true'])
    await rejected(runtimeOptions(toml(`HookTimeout = ${wrong}`)), /HookTimeout|TOML|line 1/);
  assert.not.ok('unsafeAnnotations' in (await runtimeOptions(toml('root = "/x"'))));
  await rejected(runtimeOptions(toml('IoGid = -1')), /IoGid must be of type number, not -1/);
  await rejected(runtimeOptions(toml('Root = "/a"\n[section]')), /line 2: a table is not allowed here/);
  await rejected(runtimeOptions(toml('Root = [1]')), /line 1: a string, true, false or an integer/);
  await rejected(runtimeOptions(toml('Root = "/a"\nRoot = "/b"')), /line 2: Root is given twice/);
  await rejected(runtimeOptions(toml('Root = "/\\q"')), /line 1: \\q is not an escape/);
  await rejected(runtimeOptions(toml('Root "/a"')), /line 1: NAME = VALUE/);
});

test.run();
