/** Large configs, valid and invalid, through the static binary and Node.js: the right result, within the CPU limit. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sample } from '../spec/sample.js';

const MANY = 100_000;
/** Seconds of CPU time, so that a busy machine makes no difference. */
const LIMIT = 4;
const numbered = (prefix: string, count = MANY) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

interface Outcome {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  /** SIGXCPU if it took longer. */
  readonly signal: string | null;
}

const programs: Record<string, string[]> = {
  ...(existsSync('dist/runt') && { 'dist/runt': ['dist/runt'] }),
  'dist/cli.js': [process.execPath, 'dist/cli.js'],
};

for (const [name, [program, ...first]] of Object.entries(programs)) {
  const test = suite(name);
  const dir = mkdtempSync(join(tmpdir(), 'runt-large-'));
  mkdirSync(join(dir, 'rootfs'));
  test.after(() => rmSync(dir, { recursive: true }));

  const runt = (command: string, config: unknown, ...flags: string[]): Outcome => {
    writeFileSync(join(dir, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
    const args = [`--cpu=${LIMIT}`, program!, ...first, command, ...flags, dir];
    const { status, signal, stdout, stderr } = spawnSync('prlimit', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
    return { status, out: stdout, err: stderr, signal };
  };
  /** It takes 100 to 700 ms, and took minutes when it was quadratic. */
  const quick = (run: () => Outcome): Outcome => {
    const outcome = run();
    assert.is(outcome.signal, null, `it takes more than ${LIMIT} s of CPU time`);
    return outcome;
  };

  /** A config with lists of 100,000 entries. */
  function withLists(): ReturnType<typeof sample> {
    const config = sample();
    const strings = numbered('A', MANY).map((s) => `${s}=1`);
    Object.assign(config.process, { args: ['sh', ...strings], env: strings });
    config.process.user.additionalGids = Array.from({ length: MANY }, (_, i) => i);
    config.process.capabilities = { bounding: Array(MANY).fill('CAP_CHOWN') };
    return config;
  }

  test('lists of 100,000 entries are valid', () => {
    assert.equal(runt('validate', withLists()).out, 'valid\n');
  });

  test('lists of 100,000 entries become a plan', () => {
    const { status, out, err } = runt('explain', withLists(), '--format', 'json');
    assert.is(err, '');
    assert.is(status, 0);
    const { operations } = JSON.parse(out);
    const exec = operations.find(({ op }: { op: string }) => op === 'exec');
    assert.is(exec.fields.args.length, MANY + 1);
    assert.is(exec.fields.env.length, MANY);
    assert.is(operations.find(({ op }: { op: string }) => op === 'user').fields.groups.length, MANY);
  });

  test('lists of more operations than a call may have arguments are valid', () => {
    const config = sample();
    config.linux.maskedPaths = numbered('/proc/', 70_000);
    config.hooks = { createContainer: [{ path: '/bin/true', args: numbered('a', 70_000) }] };
    config.linux.resources = { unified: Object.fromEntries(numbered('memory.x', 70_000).map((key) => [key, '1'])) };
    config.linux.namespaces?.push({ type: 'network' });
    config.linux.sysctl = Object.fromEntries(numbered('net.x', 30_000).map((key) => [key, '1']));
    const { out, err } = runt('validate', config);
    assert.is(err, '');
    assert.is(out, 'valid\n');
  });

  test('a config full of integers beyond 2^53 is parsed exactly', () => {
    const arg = '{"index":0,"op":"SCMP_CMP_EQ","value":18446744073709551615}';
    const seccomp = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[${Array(60_000).fill(arg).join(',')}]}]}`;
    const text = JSON.stringify(sample()).replace('"linux":{', `"linux":{"seccomp":${seccomp},`);
    const { out, err } = runt('validate', text);
    assert.is(err, '');
    assert.is(out, 'valid\n');
  });

  for (const count of [16_000, 66_000]) {
    for (const [entry, first] of [
      [{}, '/mounts/0/destination must be given'],
      [1, '/mounts/0 must be an object, found 1'],
      [{ destination: null }, '/mounts/0/destination must be given'],
    ] as const) {
      test(`${count} mounts ${JSON.stringify(entry)}: the first 100 violations are listed quickly`, () => {
        const { status, err } = quick(() => runt('validate', { ...sample(), mounts: Array(count).fill(entry) }));
        assert.is(status, 1);
        const lines = err.trimEnd().split('\n');
        assert.match(lines[0]!, /more than 100 violations of the runtime-spec/);
        assert.match(lines[1]!, `  at  ${first}`);
        assert.is(lines.length, 101);
      });
    }
  }

  const changes: Record<string, (config: ReturnType<typeof sample>) => void> = {
    paths: ({ linux }) => (linux.maskedPaths = numbered('proc/')),
    namespaces: ({ linux }) => (linux.namespaces = Array(60_000).fill({ type: 'mount' })),
    limits: ({ process }) =>
      (process.rlimits = numbered('RLIMIT_FOO', 40_000).map((type) => ({ type, soft: 1, hard: 2 }))),
    keys: ({ linux }) =>
      Object.assign(linux, {
        timeOffsets: Object.fromEntries(numbered('clock', 40_000).map((key) => [key, { secs: 1 }])),
      }),
  };
  for (const [what, change] of Object.entries(changes)) {
    test(`the first 100 violations of other rules are listed, with a note that there are more: ${what}`, () => {
      const config = sample();
      change(config);
      const { err } = quick(() => runt('validate', config));
      assert.match(err, 'more than 100 violations');
      assert.is(err.trimEnd().split('\n').length, 101);
    });
  }

  test('the first 100 violations of other rules are listed, with a note that there are more: surrogates', () => {
    const text = JSON.stringify(sample()).replace(
      '"mounts":[',
      `"mounts":[${'{"destination":"\\ud800"},'.repeat(50_000)}`,
    );
    assert.match(quick(() => runt('validate', text)).err, 'more than 100 violations');
  });

  test('the first 100 warnings are listed, with the number of the others', () => {
    const config = sample();
    config.process.capabilities = { bounding: numbered('CAP_FOOBAR_') };
    const { status, err } = quick(() => runt('validate', config));
    assert.is(status, 0);
    assert.is(err.trimEnd().split('\n').length, 101);
    assert.match(err, '99900 more');
  });

  const unknown = Object.fromEntries(numbered('unknown').map((key) => [key, 1]));
  test('the first 100 warnings of unknown members of a newer version are listed', () => {
    assert.match(quick(() => runt('validate', { ...sample(), ociVersion: '1.99.0', ...unknown })).err, '99992 more');
  });

  test('with --strict unknown members are violations, of which 100 are listed', () => {
    assert.match(
      quick(() => runt('validate', { ...sample(), ...unknown }, '--strict')).err,
      'more than 100 violations',
    );
  });

  test('any number of mount options is checked quickly', () => {
    const config = sample();
    config.mounts = [{ destination: '/m', type: 'tmpfs', options: ['nosuiid', ...numbered('abcde')] }];
    const { err } = quick(() => runt('validate', config));
    assert.match(err, 'did you mean "nosuid"?');
  });

  test('any number of read-only tmpfs mounts is checked quickly', () => {
    const mounts = numbered('/m', 40_000).map((destination) => ({ destination, type: 'tmpfs', options: ['ro'] }));
    assert.is(quick(() => runt('validate', { ...sample(), mounts })).out, 'valid\n');
  });

  test('any number of device rules is applied quickly', () => {
    const config = sample();
    const rules = (allow: boolean) =>
      Array.from({ length: 25_000 }, (_, minor) => ({ allow, type: 'c' as const, major: 7, minor, access: 'rw' }));
    config.linux.resources = { devices: [{ allow: false, access: 'rwm' }, ...rules(true), ...rules(false)] };
    assert.is(quick(() => runt('validate', config)).out, 'valid\n');
  });

  test('the JSON output has "more" if violations were left out', () => {
    const { out } = runt('validate', { ...sample(), mounts: Array(101).fill(1) }, '--format', 'json');
    const { valid, violations, more } = JSON.parse(out);
    assert.equal([valid, violations.length, more], [false, 100, true]);
    const exact = JSON.parse(runt('validate', { ...sample(), mounts: Array(100).fill(1) }, '--format', 'json').out);
    assert.equal([exact.violations.length, exact.more], [100, undefined]);
  });

  const long = 'n'.repeat(3 << 20);
  const call = { names: [long], action: 'SCMP_ACT_ERRNO' };
  const named: Record<string, object> = {
    annotations: { annotations: { [long]: 7 } },
    sysctl: { linux: { ...sample().linux, sysctl: { [long]: '1' } } },
    unified: { linux: { ...sample().linux, resources: { unified: { [`${long}.x`]: '1' } } } },
    seccomp: { linux: { ...sample().linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [call] } } },
  };
  for (const [what, change] of Object.entries(named)) {
    test(`a name of megabytes is shortened in messages: ${what}`, () => {
      const { err } = runt('validate', { ...sample(), ...change });
      assert.match(err, 'nnn…');
      assert.ok(err.length < 20_000, `${err.length}`);
    });
  }

  test('a name of megabytes is complete in the JSON output', () => {
    const { out } = runt('validate', { ...sample(), ...named.annotations }, '--format', 'json');
    assert.is(JSON.parse(out).violations[0].pointer, `/annotations/${long}`);
  });

  test('a text that is nested too deeply is refused with the limit', () => {
    const head = '{"ociVersion":"1.0.2","\\u0061":';
    for (const depth of [600, 200_000]) {
      const { status, err } = runt('validate', `${head}${'['.repeat(depth)}${']'.repeat(depth)}}`);
      assert.is(status, 1);
      assert.match(err, /config\.json is nested deeper than 512 levels/);
    }
  });

  test.run();
}
