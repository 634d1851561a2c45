import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSpec, MAX_CONFIG, USUAL_CONFIG } from '../../src/spec/load-config.js';
import { RuntError } from '../../src/sys/error.js';
import { complaints, errorOf, parse, sample, words } from './sample.js';

const dir = mkdtempSync(join(tmpdir(), 'runt-load-'));
test.after(() => rmSync(dir, { recursive: true }));

function loadError(path: string): RuntError {
  try {
    loadSpec(path);
  } catch (error) {
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
}

test('a valid config is returned unchanged', () => {
  const { spec, warnings } = parse(JSON.stringify(sample()));
  assert.equal(spec, sample());
  assert.equal(warnings, []);
});

test('a file that is larger than the first buffer is read completely', () => {
  const path = join(dir, 'large.json');
  for (const length of [16_000, 100_000, 15 << 20]) {
    const spec = { ...sample(), annotations: { filler: 'x'.repeat(length) } };
    writeFileSync(path, JSON.stringify(spec));
    const { spec: loaded, text } = loadSpec(path);
    assert.equal(loaded, spec);
    assert.ok(text.buffer.byteLength <= 2 * text.length || text.length < USUAL_CONFIG);
  }
});

test('a missing file has a hint about bundles, and a file that is too large has the limit', () => {
  const missing = loadError(join(dir, 'none', 'config.json'));
  assert.is(missing.code, 'ERR_SPEC_MISSING');
  assert.is(missing.hint, `correct the path of the bundle: there is no directory ${dir}/none`);
  const empty = loadError(join(dir, 'config.json'));
  assert.is(
    empty.hint,
    `write a config.json with "runt spec", or name another directory (--bundle): ${dir} is not a bundle`,
  );
  writeFileSync(join(dir, 'file'), '');
  assert.match(loadError(join(dir, 'file', 'config.json')).hint ?? '', /^name the directory .*file is not a directory/);
  const path = join(dir, 'huge.json');
  writeFileSync(path, ' '.repeat(MAX_CONFIG + 1));
  const huge = loadError(path);
  assert.is(huge.code, 'ERR_SPEC_INVALID');
  assert.equal(words(huge.violations ?? []), [' must be at most 16 MiB']);
  const directory = loadError(dir);
  assert.is(directory.code, 'ERR_SPEC_READ');
  assert.match(directory.message, /EISDIR/);
});

test('a text that is not JSON is refused with line and column', () => {
  const error = errorOf('{\n  "ociVersion": "1.0.0",\n  "root": {"path": "r",}\n}');
  assert.is(error.code, 'ERR_SPEC_JSON');
  assert.is(error.message, 'config.json:3:24 is not JSON: a comma before "}"');
});

test('the top level must be an object', () => {
  for (const text of ['[]', 'null', '"x"', '1']) {
    const error = errorOf(text);
    assert.is(error.code, 'ERR_SPEC_INVALID');
    assert.equal(words(error.violations ?? []), [' must be an object']);
  }
});

test('all violations are reported at once, with the value and the page of the spec', () => {
  const error = errorOf(
    JSON.stringify({
      ...sample(),
      ociVersion: 1,
      mounts: [{ type: 'proc' }, { destination: '/x', options: 'ro' }],
      linux: { namespaces: [{ type: 'netwrok' }], resources: { cpu: { shares: -1 }, hugepageLimits: [{ limit: 1 }] } },
    }),
  );
  assert.is(error.code, 'ERR_SPEC_INVALID');
  const found = [...(error.violations ?? [])].sort((a, b) => (a.pointer < b.pointer ? -1 : 1));
  assert.equal(found, [
    {
      pointer: '/linux/namespaces/0/type',
      value: 'netwrok',
      expected: 'be one of pid, network, mount, ipc, uts, user, cgroup, time; did you mean "network"?',
      see: 'runtime-spec config-linux.md#namespaces',
    },
    {
      pointer: '/linux/resources/cpu/shares',
      value: -1,
      expected: 'be at least 0',
      see: 'runtime-spec config-linux.md#control-groups',
    },
    {
      pointer: '/linux/resources/hugepageLimits/0/pageSize',
      expected: 'be given',
      see: 'runtime-spec config-linux.md#control-groups',
    },
    { pointer: '/mounts/0/destination', expected: 'be given', see: 'runtime-spec config.md#mounts' },
    { pointer: '/mounts/1/options', value: 'ro', expected: 'be an array', see: 'runtime-spec config.md#mounts' },
    {
      pointer: '/ociVersion',
      value: 1,
      expected: 'be a string',
      see: 'runtime-spec config.md#specification-version',
    },
  ]);
  assert.match(error.message, /^config\.json has 6 violations of the runtime-spec$/);
});

test('integers keep all their digits', () => {
  const text = JSON.stringify(sample())
    .replace(
      '"cwd":"/"',
      '"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","soft":9007199254740993,"hard":18446744073709551615}]',
    )
    .replace(
      '"linux":{',
      '"linux":{"resources":{"memory":{"limit":9223372036854771712},"pids":{"limit":-9223372036854775808}},',
    );
  const { spec } = parse(text);
  assert.equal(spec.process?.rlimits, [{ type: 'RLIMIT_CORE', soft: 9007199254740993n, hard: 18446744073709551615n }]);
  assert.is(spec.linux?.resources?.memory?.limit, 9223372036854771712n);
  assert.is(spec.linux?.resources?.pids?.limit, -9223372036854775808n);
});

test('integers are checked against the exact ranges of their types', () => {
  const rlimit = (n: string) =>
    JSON.stringify(sample()).replace('"cwd":"/"', `"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":${n}}]`);
  const limit = (n: string) =>
    JSON.stringify(sample()).replace('"linux":{', `"linux":{"resources":{"memory":{"limit":${n}}},`);
  assert.equal(words(errorOf(rlimit('18446744073709551616')).violations ?? []), [
    '/process/rlimits/0/hard must be 0 to 18446744073709551615',
  ]);
  assert.equal(words(errorOf(limit('9223372036854775808')).violations ?? []), [
    '/linux/resources/memory/limit must be -9223372036854775808 to 9223372036854775807',
  ]);
  assert.equal(words(errorOf(limit('99999999999999999999')).violations ?? []), [
    '/linux/resources/memory/limit must be at most 9223372036854775807',
  ]);
  assert.equal(words(errorOf(limit('1e18')).violations ?? []), [
    '/linux/resources/memory/limit must be written without an exponent',
  ]);
  assert.is(parse(limit('1e9')).spec.linux?.resources?.memory?.limit, 1e9);
  assert.equal(words(errorOf(limit('1.5')).violations ?? []), ['/linux/resources/memory/limit must be an integer']);
});

test('the last value of a repeated key counts', () => {
  const text = JSON.stringify(sample()).replace(
    '"linux":{',
    '"linux":{"resources":{"memory":{"limit":9223372036854775807,"limit":4096}},',
  );
  assert.is(parse(text).spec.linux?.resources?.memory?.limit, 4096);
});

test('wide integers in unknown properties and in strings are not changed', () => {
  const { spec } = parse(
    JSON.stringify({ ...sample(), annotations: { n: '18446744073709551616', sha: '3e5' } }).replace(
      '"root"',
      '"extra":{"limit":123456789012345678901234567890},"root"',
    ),
  );
  assert.is((spec as unknown as { extra: { limit: number } }).extra.limit, 1.2345678901234568e29);
});

test('strings that the kernel cannot take are refused', () => {
  const with_ = (text: string) => JSON.stringify(sample()).replace('"true"', text);
  assert.equal(words(errorOf(with_('"a\\u0000b"')).violations ?? []), [
    '/process/args/0 must be text without NUL: the kernel would cut it there',
  ]);
  assert.equal(words(errorOf(with_('"\\ud800"')).violations ?? []), [
    '/process/args/0 must be text without lone surrogates: it has no UTF-8 form',
  ]);
  assert.equal(
    words(
      errorOf(JSON.stringify(sample()).replace('"linux"', '"annotations":{"\\u0000":""},"linux"')).violations ?? [],
    ),
    ['/annotations/\0 must be text without NUL: the kernel would cut it there'],
  );
  assert.equal(parse(with_('"\\ud83d\\ude00 \\ufffd"')).spec.process?.args, ['😀 \ufffd']);
});

test('malformed UTF-8 is refused, U+FFFD itself is not', () => {
  const bytes = Buffer.from(JSON.stringify(sample()).replace('"true"', '"\ufffd?"'));
  assert.equal(parse(bytes.toString()).spec.process?.args, ['\ufffd?']);
  const path = join(dir, 'latin1.json');
  bytes[bytes.indexOf('?')] = 0xe9;
  writeFileSync(path, bytes);
  assert.equal(words(loadError(path).violations ?? []), [' must be encoded in UTF-8']);
});

test('__proto__ is a key like others', () => {
  const { spec } = parse(
    JSON.stringify(sample()).replace('"root"', '"__proto__":{"process":5},"annotations":{"__proto__":"x"},"root"'),
  );
  assert.is(Object.getPrototypeOf(spec), Object.prototype);
  assert.equal(Object.entries(spec.annotations ?? {}), [['__proto__', 'x']]);
});

test('configs for other platforms are refused by name', () => {
  for (const section of ['windows', 'solaris', 'vm', 'zos', 'freebsd']) {
    const error = errorOf(JSON.stringify({ ...sample(), [section]: {} }));
    assert.is(error.code, 'ERR_SPEC_UNSUPPORTED');
    assert.is(error.violations?.[0]?.pointer, `/${section}`);
  }
  // Without a linux section its rules do not apply.
  const { linux: _, ...foreign } = { ...sample(), zos: {}, hostname: 'x' };
  assert.equal(
    errorOf(JSON.stringify(foreign)).violations?.map(({ pointer }) => pointer),
    ['/zos'],
  );
  // With another violation the config itself is invalid.
  assert.is(errorOf(JSON.stringify({ ...sample(), vm: {}, ociVersion: 'x' })).code, 'ERR_SPEC_INVALID');
});

test('unknown properties are accepted', () => {
  assert.equal(complaints({ ...sample(), someday: { a: [1] } }), []);
});

test('a null member counts as absent, a null element of a list does not', () => {
  const nulls = {
    ...sample(),
    hooks: null,
    linux: { ...sample().linux, timeOffsets: null, resources: { pids: null } },
  };
  const { spec } = parse(JSON.stringify(nulls));
  assert.equal(spec, { ...sample(), linux: { ...sample().linux, resources: {} } });
  assert.equal(complaints({ ...sample(), mounts: [null] }), ['/mounts/0 must be an object']);
  assert.equal(complaints({ ...sample(), ociVersion: null }), ['/ociVersion must be given']);
});

test('a process without a user is root, with a warning', () => {
  const spec = sample() as { process: { user?: unknown } };
  delete spec.process.user;
  const loaded = parse(JSON.stringify(spec));
  assert.equal(loaded.spec.process?.user, { uid: 0, gid: 0 });
  assert.equal(words(loaded.warnings), [
    '/process/user/uid must be given; 0 is assumed',
    '/process/user/gid must be given; 0 is assumed',
  ]);
});

test.run();
