/** Arguments of the command line: Go's forms of flags, their values, and the errors. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkArguments, parseFlags } from '../../src/cli/arguments.js';
import { commands, globals } from '../../src/cli/command-syntax.js';
import { flagsOf } from '../../src/cli/help/command-flags.js';
import { addSuggestion } from '../../src/cli/suggestion.js';
import type { RuntError } from '../../src/sys/error.js';

function parse(name: keyof typeof commands, ...args: string[]) {
  const flags: Record<string, unknown> = {};
  const rest = parseFlags(name, flagsOf(name), args, flags);
  return { flags, rest };
}

function fault(f: () => unknown): RuntError {
  try {
    f();
  } catch (e) {
    addSuggestion(e as RuntError);
    return e as RuntError;
  }
  throw new Error('nothing was thrown');
}

test('a value may follow = or be the next argument, after one dash or two', () => {
  for (const form of [
    ['--bundle', '/b'],
    ['--bundle=/b'],
    ['-bundle', '/b'],
    ['-bundle=/b'],
    ['-b', '/b'],
    ['-b=/b'],
    ['--b=/b'],
  ]) {
    assert.equal(parse('create', ...form, 'id'), { flags: { bundle: '/b' }, rest: ['id'] }, form.join(' '));
  }
});

test('an empty value counts as absent, as for runc, except for --user, --env and the flags of spec', () => {
  assert.equal(parse('create', '--pid-file=', '--bundle', '', 'id'), { flags: {}, rest: ['id'] });
  assert.equal(parse('exec', '--cwd', 'a', '--cwd', '', 'id').flags, {});
  assert.equal(parse('exec', '--user', '', 'id').flags, { user: '' }, 'which must not become root');
  assert.equal(parse('exec', '--env', '', 'id').flags, { env: [''] });
  assert.equal(parse('spec', '--hostname', '').flags, { hostname: '' });
});

test('100,000 flags are parsed in less than 2 s', () => {
  const words = ['id', ...Array.from({ length: 100_000 }, (_, i) => ['-e', `A${i}=1`]).flat()];
  const began = performance.now();
  const flags: { env?: string[] } = {};
  parseFlags('exec', commands.exec.flags, words, flags);
  assert.is(flags.env?.length, 100_000);
  assert.ok(performance.now() - began < 2000);
});

test('flags may stand on either side of the container id', () => {
  assert.equal(parse('delete', 'id', '--force'), { flags: { force: true }, rest: ['id'] });
  assert.equal(parse('kill', 'id', '-a', 'KILL'), { flags: { all: true }, rest: ['id', 'KILL'] });
});

test('-- ends the flags, and a single dash is an argument', () => {
  assert.equal(parse('kill', '--', '-x', '--all'), { flags: {}, rest: ['-x', '--all'] });
  assert.equal(parse('kill', '-', '-a'), { flags: { all: true }, rest: ['-'] });
});

test('a boolean takes the spellings of strconv.ParseBool after =, and never the next argument', () => {
  assert.is(parse('kill', '--all=false', 'id').flags.all, false);
  assert.is(parse('kill', '--all=T', 'id').flags.all, true);
  assert.is(parse('kill', '-a=0', 'id').flags.all, false);
  assert.equal(parse('kill', '--all', 'false').rest, ['false']);
  assert.match(
    fault(() => parse('kill', '--all=yes', 'id')).message,
    'kill: flag --all must be true or false, not "yes"',
  );
});

test('a value may contain =', () => {
  assert.is(parse('create', '--pid-file=a=b', 'id').flags['pid-file'], 'a=b');
});

test('the last of a repeated flag wins', () => {
  assert.is(parse('create', '-b', '/1', '--bundle=/2', 'id').flags.bundle, '/2');
});

test('an integer must be plain decimal digits within the range', () => {
  assert.is(parse('create', '--preserve-fds', '3', 'id').flags['preserve-fds'], 3);
  for (const bad of ['', '-1', '1x', '0x10', '1.5', ' 1', '9999999999']) {
    const e = fault(() => parse('create', `--preserve-fds=${bad}`, 'id'));
    assert.is(e.code, 'ERR_USAGE');
    assert.is(e.message, `create: flag --preserve-fds needs an integer ≥ 0, not "${bad}"`);
  }
});

test('a flag with choices accepts only those', () => {
  assert.is(parse('list', '-f', 'json').flags.format, 'json');
  const e = fault(() => parse('list', '--format', 'jsn'));
  assert.is(e.message, 'list: flag --format must be table or json, not "jsn"; did you mean json?');
});

test('an unknown flag is refused with the nearest one', () => {
  const e = fault(() => parse('create', '--bundel', '/b', 'id'));
  assert.is(e.code, 'ERR_USAGE');
  assert.is(e.message, 'create: unknown flag --bundel; did you mean --bundle?');
  assert.is(fault(() => parse('create', '--bundel=/b', 'id')).message, e.message);
  assert.is(fault(() => parse('create', '--zzz', 'id')).message, 'create: unknown flag --zzz');
  assert.is(fault(() => parse('create', '--__proto__', 'id')).message, 'create: unknown flag --__proto__');
  // A word is the sum of short flags only if none of them takes a value: in Go it is a long name.
  assert.is(fault(() => parse('list', '-qf', 'json')).message, 'list: unknown flag -qf');
});

test('a global flag after the command is refused with a hint to move it', () => {
  const e = fault(() => parse('list', '--root', '/r'));
  assert.is(e.message, 'list: unknown flag --root: it is a global flag');
  assert.is(e.hint, 'write runt --root … list …: global flags stand before the command');
  assert.is(
    fault(() => parse('list', '--debug')).hint,
    'write runt --debug list …: global flags stand before the command',
  );
});

test("flags of engines' run have a hint, and no suggestion", () => {
  for (const [flag, hint] of [
    ['-it', /^remove it, and write config.json with runt spec --tty/],
    ['--rm', /^remove it: run deletes the container at its end/],
  ] as const) {
    const e = fault(() => parse('run', flag, 'web'));
    assert.is(e.message, `run: unknown flag ${flag}`);
    assert.match(e.hint!, hint);
  }
});

test('exec refuses --init with the reason and the remedy', () => {
  const e = fault(() => parse('exec', '--init', 'web', 'true'));
  assert.is(e.code, 'ERR_USAGE');
  assert.is(e.message, 'exec: unknown flag --init: it is a flag of run and create');
  assert.is(e.hint, 'create the container with --init: its first process reaps the orphans of all execs');
});

test('short flags without values may be joined in one word', () => {
  assert.equal(parse('exec', '-it', 'id').flags, { interactive: true, tty: true });
  assert.equal(parse('exec', '-ti', 'id').flags, { tty: true, interactive: true });
  assert.is(fault(() => parse('exec', '-ite', 'id')).message, 'exec: unknown flag -ite');
});

test('kill accepts the signal in the same positions as kill(1)', () => {
  assert.equal(parse('kill', '-9', 'id'), { flags: { signal: '9' }, rest: ['id'] });
  assert.equal(parse('kill', 'id', '-KILL'), { flags: { signal: 'KILL' }, rest: ['id'] });
  assert.equal(parse('kill', '-s', 'SIGTERM', 'id'), { flags: { signal: 'SIGTERM' }, rest: ['id'] });
  assert.equal(parse('kill', '-a', '-9', 'id').flags, { all: true, signal: '9' });
  assert.is(fault(() => parse('delete', '-9', 'id')).message, 'delete: unknown flag -9');
});

test('a flag at the end without its value is an error', () => {
  assert.is(fault(() => parse('create', 'id', '--bundle')).message, 'create: flag --bundle needs a value');
});

test('a flag of kind list collects all of its values', () => {
  const flags: Record<string, unknown> = {};
  const rest = parseFlags('exec', commands.exec.flags, ['-e', 'A=1', 'id', '-e', 'x'], flags, true);
  assert.equal(flags, { env: ['A=1'] });
  assert.equal(rest, ['id', '-e', 'x']);
  parseFlags('exec', commands.exec.flags, ['-e', 'A=1', '--env=B=2'], flags);
  assert.equal(flags, { env: ['A=1', 'A=1', 'B=2'] });
});

test('the global flags end at the first argument', () => {
  const flags: Record<string, unknown> = {};
  const rest = parseFlags('', globals, ['--root', '/r', '-log-format=json', 'state', '--debug', 'id'], flags, true);
  assert.equal(flags, { root: '/r', 'log-format': 'json' });
  assert.equal(rest, ['state', '--debug', 'id']);
});

test('missing and extra arguments are named', () => {
  const message = (form: string, ...args: string[]) => fault(() => checkArguments('kill', form, args)).message;
  checkArguments('kill', 'ID [SIGNAL]', ['a']);
  checkArguments('kill', 'ID [SIGNAL]', ['a', 'b']);
  checkArguments('list', '', []);
  assert.is(message('ID [SIGNAL]'), 'kill: missing argument ID');
  assert.is(message('ID [SIGNAL]', 'a', 'b', 'c'), 'kill: unexpected argument "c": kill takes ID [SIGNAL]');
  assert.is(message('', 'x'), 'kill: unexpected argument "x": kill takes none');
});

test.run();
