/** The whole command on a fake host: output, exit status, errors, the log. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main } from '../../src/cli/command-main.js';
import { type CommandName, commands, globals } from '../../src/cli/command-syntax.js';
import { commandExamples } from '../../src/cli/help/command-examples.js';
import { flagsOf } from '../../src/cli/help/command-flags.js';
import { usageLines } from '../../src/cli/help/flag-lines.js';
import type { Native } from '../../src/sys/abi.js';
import { fakeHost } from '../sys/fake-host.js';

async function runt(args: string[], functions: Partial<Native> = {}, env: Record<string, string> = {}) {
  const host = fakeHost(args, functions, env);
  const status = await main();
  return { status, out: host.written(1), err: host.written(2), log: host.written(9) };
}

const seccomp: Partial<Native> = {
  seccompVersion: (data) => {
    const text = Buffer.from('2.5.4 x86_64');
    data.set(text);
    return text.length;
  },
};
const logAt9: Partial<Native> = { openAt: () => 9 };

test('--version prints the three lines that engines parse', async () => {
  for (const flag of ['--version', '-v', '-version']) {
    const { status, out, err } = await runt([flag]);
    assert.is(status, 0);
    assert.match(out, /^runt version \S+\ncommit: \S+\nspec: 1\.\d+\.\d+\n$/);
    assert.is(err, '');
  }
});

test('the help names every command and every global flag', async () => {
  for (const args of [[], ['--help'], ['-h'], ['help']]) {
    const { status, out } = await runt(args);
    assert.is(status, 0);
    for (const name of Object.keys(commands)) assert.match(out, new RegExp(`^  ${name} {2,}\\S`, 'm'), name);
    for (const key of Object.keys(globals)) assert.match(out, `--${key.split('|')[0]}`);
  }
});

test('the help of a command has its flags, arguments and examples, in every form of the request', async () => {
  for (const [name, { args }] of Object.entries(commands)) {
    const flags = flagsOf(name as CommandName);
    const { status, out } = await runt([name, '--help']);
    assert.is(status, 0);
    for (const line of usageLines(name as CommandName)) assert.match(out, `  runt ${line}\n`);
    for (const { line } of commandExamples[name as CommandName]) assert.match(out, `\n  ${line}\n`);
    for (const key of Object.keys(flags)) assert.match(out, `--${key.split('|')[0]}`, `${name} ${key}`);
    assert.is((await runt(['help', name])).out, out);
    // After the id, exec and ps pass all arguments on.
    if (args.includes('…')) continue;
    assert.is((await runt([name, 'x', 'y', 'z', '-h'])).out, out, 'help does not count arguments');
  }
});

test('the help is coloured only on a terminal, and never with NO_COLOR', async () => {
  const terminal: Partial<Native> = { isTerminal: (fd) => (fd === 1 ? 1 : 0), windowSize: () => -25 };
  assert.match((await runt(['help'], terminal)).out, '\x1b[1mUsage:');
  assert.not.match((await runt(['help'], terminal, { NO_COLOR: '1' })).out, '\x1b');
  assert.not.match((await runt(['help'])).out, '\x1b');
});

test('a terminal wraps the descriptions of flags', async () => {
  const terminal: Partial<Native> = {
    isTerminal: () => 1,
    windowSize: (_fd, size) => {
      new DataView(size.buffer).setInt32(0, 80, true);
      return 0;
    },
  };
  const lines = (await runt(['run', '--help'], terminal, { NO_COLOR: '1' })).out.split('\n');
  assert.ok(lines.every((line) => line.length <= 80));
  assert.ok((await runt(['run', '--help'])).out.split('\n').some((line) => line.length > 80));
});

test('an unknown command exits 1 and suggests the nearest one', async () => {
  const { status, out, err } = await runt(['creat', 'x']);
  assert.is(status, 1);
  assert.is(out, '');
  assert.is(err, 'runt: unknown command creat; did you mean create?\n');
  assert.is((await runt(['toString'])).err, 'runt: unknown command toString\n');
  assert.is((await runt(['help', 'strat'])).err, "runt: No help topic for 'strat'; did you mean start?\n");
  assert.is((await runt(['creat', '-h'])).err, "runt: No help topic for 'creat'; did you mean create?\n");
});

test('version prints the same as --version', async () => {
  assert.is((await runt(['version'])).out, (await runt(['--version'])).out);
  const json = (await runt(['version', '--format', 'json'], seccomp)).out;
  assert.is(json, (await runt(['--version', '--format', 'json'], seccomp)).out);
  const { version, commit, date, spec, libseccomp, ...rest } = JSON.parse(json);
  assert.equal([spec, libseccomp, rest], ['1.3.0', '2.5.4', {}]);
  assert.is((await runt(['--version'])).out, `runt version ${version}\ncommit: ${commit}\nspec: 1.3.0\n`);
  assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('--format before a command is refused: it belongs to --version', async () => {
  const { status, err } = await runt(['--format', 'json', 'list']);
  assert.equal([status, err], [1, 'runt: unknown flag --format\n']);
});

test('a command that only engines have is refused with the command of runt or the engine to use', async () => {
  assert.match((await runt(['rm', 'x'])).err, 'runt: unknown command rm\n  fix use runt delete ID\n');
  assert.match((await runt(['inspect', 'x'])).err, 'use runt state ID');
  assert.match((await runt(['logs', 'x'])).err, 'use podman logs, docker logs or nerdctl logs');
  assert.match((await runt(['help', 'rm'])).err, 'use runt delete');
});

test('with --log the error is also on standard error, and the log has one JSON line', async () => {
  const opened: unknown[] = [];
  const { status, err, log } = await runt(['--log', '/l', '--log-format', 'json', 'create', '--pod', '1', 'x'], {
    openAt: (...a) => {
      opened.push(a);
      return 9;
    },
  });
  assert.is(status, 1);
  assert.is(err, 'runt: create: unknown flag --pod\n');
  assert.equal(log.split('\n').length, 2);
  assert.equal(JSON.parse(log), {
    level: 'error',
    msg: 'create: unknown flag --pod',
    time: '2023-11-14T22:13:20.123456789Z',
    code: 'ERR_USAGE',
  });
  // O_WRONLY|O_CREAT|O_APPEND|O_NONBLOCK, once, for the owner only.
  assert.equal(opened, [[-100, '/l', 0o6101, 0o600]]);
});

test('an error in the global flags is logged if --log stands before it', async () => {
  const { log } = await runt(['--log=/l', '--log-format=json', '--rot', '/r', 'list'], logAt9);
  assert.is(JSON.parse(log).msg, 'unknown flag --rot; did you mean --root?');
});

test('the text log has one line in the format of logrus', async () => {
  const { log } = await runt(['--log', '/l', 'start'], logAt9);
  assert.is(log, 'time="2023-11-14T22:13:20.123456789Z" level=error msg="start: missing argument ID" code=ERR_USAGE\n');
});

test('a JSON log without a file is written to standard error, without the text', async () => {
  const { err } = await runt(['--log-format', 'json', 'start']);
  assert.is(JSON.parse(err).msg, 'start: missing argument ID');
});

test('a log that cannot be opened is an error before anything is done', async () => {
  const { status, err } = await runt(['--log', '/no/l', 'help'], { openAt: () => -2 });
  assert.is(status, 1);
  assert.match(err, /^runt: open the log \/no\/l: ENOENT/);
});

test('an unexpected exception is reported as a bug of runt, with its stack only with --debug', async () => {
  // `--root` must be made absolute, and cwd() of the fake host throws.
  const boom: Partial<Native> = {
    ...logAt9,
    cwd: () => {
      throw new TypeError('boom');
    },
  };
  const { status, err, log } = await runt(['--log=/l', '--log-format=json', '--root', 'r', 'list'], boom);
  assert.is(status, 1);
  assert.match(err, /^runt: internal error: TypeError: boom\n {2}fix report this defect of runt/);
  const line = JSON.parse(log);
  assert.is(line.code, 'ERR_INTERNAL');
  assert.is(line.msg, 'internal error: TypeError: boom');

  const debug = await runt(['--debug', '--log=/l', '--log-format=json', '--root', 'r', 'list'], boom);
  const lines = debug.log
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l));
  assert.equal(
    lines.map((l) => l.level),
    ['debug', 'error', 'debug'],
  );
  assert.match(lines[0].msg, '"--root","r","list"');
  assert.match(lines[2].msg, 'boom');
  assert.match(lines[2].msg, 'at ');
});

test('a failed write to standard output is an error', async () => {
  let err = '';
  const { status } = await runt(['--version'], {
    write: (fd, data) => {
      if (fd === 1) return -28;
      err += new TextDecoder().decode(data);
      return data.length;
    },
  });
  assert.is(status, 1);
  assert.match(err, /^runt: write to standard output: ENOSPC/);
});

test('an unknown cgroup manager is refused; --systemd-cgroup is accepted with every command', async () => {
  const message = async (...args: string[]) => (await runt(args)).err;
  assert.match(await message('--cgroup-manager=foo', 'run', 'x'), 'must be cgroupfs or systemd or disabled');
  assert.is((await runt(['--systemd-cgroup', '--criu', 'criu', '--version'])).status, 0);
});

test('kill refuses an unknown signal', async () => {
  assert.is((await runt(['kill', 'x', 'KIL'])).err, 'runt: kill: unknown signal "KIL"; did you mean KILL?\n');
  assert.match((await runt(['kill', 'x', '65'])).err, 'unknown signal "65"');
});

test('kill refuses two signals', async () => {
  assert.is((await runt(['kill', '-9', 'x', 'TERM'])).err, 'runt: kill: two signals are given, "9" and "TERM"\n');
});

test.run();
