/** `spec`, `validate` and `features` on a fake host: files, output, exit status. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main } from '../../../src/cli/command-main.js';
import type { Native } from '../../../src/sys/abi.js';
import { fakeHost, fill } from '../../sys/fake-host.js';

async function runt(args: string[], functions: Partial<Native> = {}) {
  // cgroup v1, as on a tmpfs; the directories of the bundle exist.
  const host = fakeHost(args, { statfsType: () => 0x01021994n, mkdirAt: () => -17, ...functions });
  const status = await main();
  return { status, out: host.written(1), err: host.written(2) };
}

/** Runs `spec`. @returns the file that it wrote */
async function written(...args: string[]): Promise<{ path: string; flags: number; text: string }> {
  let file = { path: '', flags: 0, text: '' };
  const { status, out, err } = await runt(['spec', ...args], {
    writeFile: (_, path, flags, __, data) => {
      file = { path, flags, text: new TextDecoder().decode(data) };
      return data.length;
    },
    wideIntegers: () => 0,
  });
  assert.equal([status, out, err], [0, '', '']);
  return file;
}

/** A host on which `/b` is a bundle with this config.json. */
function bundle(config: unknown): Partial<Native> {
  return {
    stat: (_, path, __, data) => {
      const mode = path === '/b' ? 0o40755 : path === '/b/config.json' ? 0o100644 : 0;
      new DataView(data.buffer, data.byteOffset).setBigInt64(0, BigInt(mode), true);
      return mode === 0 ? -2 : 0;
    },
    readFile: (_, path, data) => (path === '/b/config.json' ? fill(data, JSON.stringify(config)) : -2),
    wideIntegers: () => 0,
    access: () => -2,
  };
}

test('spec writes a config.json that validate accepts, and overwrites no file', async () => {
  for (const flags of [[], ['--rootless']]) {
    const file = await written('--bundle', '/b', ...flags);
    assert.is(file.path, '/b/config.json');
    assert.is(file.flags & 0o300, 0o300, 'O_CREAT and O_EXCL');
    assert.match(file.text, /^\{\n\t"ociVersion"/);
    const { status, out, err } = await runt(['validate', '--strict', '/b'], bundle(JSON.parse(file.text)));
    assert.equal([status, out, err], [0, 'valid\n', '']);
  }
  const { status, err } = await runt(['spec'], { writeFile: () => -17 });
  assert.is(status, 1);
  assert.match(err, 'runt: write /work dir/config.json: EEXIST');
  assert.match(err, 'add --force to replace the file');
});

test('spec --rootless adds a user namespace with the ids of the caller', async () => {
  const spec = JSON.parse((await written('--rootless')).text);
  assert.ok(spec.linux.namespaces.some((n: { type: string }) => n.type === 'user'));
  assert.equal(spec.linux.uidMappings, [{ containerID: 0, hostID: 0, size: 1 }]);
});

test('validate names every violation with its pointer and exits 1', async () => {
  const bad = { ociVersion: 'x', root: { path: 5 }, process: { cwd: '/', args: [1] } };
  const text = await runt(['validate', '/b'], bundle(bad));
  assert.is(text.status, 1);
  assert.is(text.out, '');
  assert.match(text.err, /^ {2}at {2}\/root\/path must /m);
  assert.match(text.err, /^ {2}at {2}\/process\/args\/0 must /m);

  const json = await runt(['validate', '--format', 'json', '/b/config.json'], bundle(bad));
  assert.is(json.status, 1);
  assert.is(json.err, '');
  const { valid, violations } = JSON.parse(json.out);
  assert.is(valid, false);
  const pointers = violations.map((v: { pointer: string }) => v.pointer);
  assert.ok(pointers.includes('/root/path') && pointers.includes('/process/args/0'));
});

test('validate lists violations of the schema, of the other rules and of --strict together', async () => {
  const config = JSON.parse((await written()).text);
  Object.assign(config, { hostname: 7, hostnam: 'x', annotations: { 'run.oci.hooks.stdout': '/x' } });
  config.process.cwd = 'tmp';
  config.process.capabilities.bounding.push('CAP_SYS_ADMN');
  const pointers = async (...flags: string[]) => {
    const { out } = await runt([...flags, 'validate', '--format', 'json', '/b'], bundle(config));
    const { violations, warnings } = JSON.parse(out);
    return [violations, warnings].map((list) => list.map((v: { pointer: string }) => v.pointer));
  };
  const capability = '/process/capabilities/bounding/3';
  const annotation = '/annotations/run.oci.hooks.stdout';
  assert.equal(await pointers(), [
    ['/hostname', '/process/cwd'],
    [capability, '/hostnam', annotation],
  ]);
  assert.equal(await pointers('--unsafe-annotations', 'deny'), [
    ['/hostname', '/process/cwd', annotation],
    [capability, '/hostnam'],
  ]);
  const strict = JSON.parse((await runt(['validate', '--strict', '--format', 'json', '/b'], bundle(config))).out);
  assert.equal(
    strict.violations.map((v: { pointer: string }) => v.pointer),
    ['/hostname', '/process/cwd', capability, '/hostnam'],
  );
  const { status, err } = await runt(['validate', '--strict', '/b'], bundle(config));
  assert.is(status, 1);
  assert.match(err, '/b/config.json has 4 violations');
  for (const pointer of ['/hostname', '/process/cwd', capability, '/hostnam'])
    assert.match(err, `  at  ${pointer} must `);
});

test('spec --schema writes a $schema for editors, which validate --strict allows', async () => {
  const url = 'https://example.com/config.schema.json';
  const { text } = await written('--schema', url);
  assert.match(text, `{\n\t"$schema": "${url}",\n\t"ociVersion"`);
  assert.is((await runt(['validate', '--strict', '/b'], bundle(JSON.parse(text)))).out, 'valid\n');
  assert.not.match((await written()).text, '$schema');
  assert.is(JSON.parse((await written('--schema', url, 'true')).text).$schema, url);
  assert.match((await runt(['spec', '--schema='])).err, '--schema needs the URL');
});

test('validate warns of misspelt properties and ignores other unknown ones, as the spec demands; --strict lists them', async () => {
  const { text } = await written();
  const odd = { ...JSON.parse(text), hostnam: 'x', 'org.example': 1 };
  const { out, err } = await runt(['validate', '/b'], bundle(odd));
  assert.is(out, 'valid\n');
  assert.match(err, /^warning: \/hostnam should be a property of the runtime-spec; did you mean "hostname"\?.*\n$/);
  const strict = await runt(['validate', '--strict', '/b'], bundle(odd));
  assert.is(strict.status, 1);
  assert.match(strict.err, 'at  /hostnam must be a property of the runtime-spec; did you mean "hostname"?');
  const json = await runt(['validate', '--strict', '--format=json', '/b'], bundle(odd));
  assert.is(json.status, 1);
  assert.equal(
    JSON.parse(json.out).violations.map((v: { pointer: string }) => v.pointer),
    ['/hostnam', '/org.example'],
  );
});

test('validate warns of an unknown capability, which the spec allows, and --strict refuses it', async () => {
  const config = JSON.parse((await written()).text);
  config.process.capabilities.bounding.push('CAP_SYS_ADMN');
  const { status, out, err } = await runt(['validate', '/b'], bundle(config));
  assert.equal([status, out], [0, 'valid\n']);
  assert.match(err, /^warning: \/process\/capabilities\/bounding\/3 should .*did you mean "CAP_SYS_ADMIN"\?/);
  const json = await runt(['validate', '--format', 'json', '/b'], bundle(config));
  assert.is(JSON.parse(json.out).warnings[0].pointer, '/process/capabilities/bounding/3');
  assert.is((await runt(['validate', '--strict', '/b'], bundle(config))).status, 1);
});

test('validate warns of a newer minor ociVersion and names unknown properties; --strict refuses it', async () => {
  const config = { ...JSON.parse((await written()).text), ociVersion: '1.4.0', later: 1 };
  const { status, out, err } = await runt(['validate', '/b'], bundle(config));
  assert.equal([status, out], [0, 'valid\n']);
  assert.match(err, /^warning: \/ociVersion should be at most 1\.3, .*unknown and are ignored: \/later \(runtime-spec/);
  const json = JSON.parse((await runt(['validate', '--format', 'json', '/b'], bundle(config))).out);
  assert.equal([json.valid, json.warnings[0].pointer, json.warnings[0].value], [true, '/ociVersion', '1.4.0']);
  assert.is((await runt(['validate', '--strict', '/b'], bundle(config))).status, 1);
  assert.is((await runt(['validate', '/b'], bundle({ ...config, ociVersion: '2.0.0' }))).status, 1);
});

test('validate reports a missing or invalid config.json as an error in both formats', async () => {
  for (const format of ['text', 'json']) {
    const missing = await runt(['validate', '--format', format, '/none'], bundle({}));
    assert.is(missing.status, 1);
    assert.match(missing.err, 'ENOENT');
    const broken: Partial<Native> = {
      ...bundle({}),
      readFile: (_, __, data) => fill(data, '{"a":}'),
      // Not a value, at the fifth byte.
      jsonError: (_, data) => {
        data[0] = 5;
        return 5;
      },
    };
    const { status, err } = await runt(['validate', '--format', format, '/b'], broken);
    assert.is(status, 1);
    assert.match(err, '/b/config.json:1:6 is not JSON: expected a value, found "}"');
  }
});

test('features prints JSON with the versions that engines check', async () => {
  const { status, out, err } = await runt(['features'], {
    compileSeccomp: () => 8,
    seccompFlags: () => 0,
    seccompVersion: (data) => fill(data, '2.5.4 x86_64'),
  });
  assert.equal([status, err], [0, '']);
  const { ociVersionMin, ociVersionMax } = JSON.parse(out);
  assert.match(`${ociVersionMin} ${ociVersionMax}`, /^1\.\d+\.\d+ 1\.\d+\.\d+$/);
});

test.run();
