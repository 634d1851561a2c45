/** The examples of the help: a shell runs each line, and the parser accepts what runt would receive. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkArguments, parseFlags } from '../../../src/cli/arguments.js';
import { type CommandName, commands, globals } from '../../../src/cli/command-syntax.js';
import { commandExamples, overviewExamples } from '../../../src/cli/help/command-examples.js';
import { flagsOf } from '../../../src/cli/help/command-flags.js';
import { shimExamples } from '../../../src/cli/man/shim-man-page.js';

/** The arguments that runt receives from a line: programs of the same name record them. */
function received(line: string): string[][] {
  const dir = mkdtempSync(join(tmpdir(), 'runt-examples-'));
  try {
    const record = `for a do printf '%s\\0' "$a"; done >> "$RECORD"; printf '\\n' >> "$RECORD"`;
    mkdirSync(join(dir, '.config/fish/completions'), { recursive: true });
    for (const [name, script] of [
      ['runt', record],
      ['npx', `[ "$1" = runt-oci ] && shift && ${record}`],
      ['ctr', ''],
    ] as const) {
      writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(dir, name), 0o755);
    }
    const RECORD = join(dir, 'record');
    const env = { PATH: `${dir}:/usr/bin:/bin`, HOME: dir, RECORD };
    const { status, stderr } = spawnSync('bash', ['-c', line], { cwd: dir, env, encoding: 'utf8' });
    assert.equal([status, stderr], [0, ''], line);
    const calls = existsSync(RECORD) ? readFileSync(RECORD, 'utf8').trimEnd().split('\n') : [];
    return calls.map((call) => call.split('\0').slice(0, -1));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Parses a command line as `runt` does. @returns its command */
function parse(args: readonly string[]): CommandName {
  const [name = '', ...rest] = parseFlags('', globals, args, {}, true);
  assert.ok(Object.hasOwn(commands, name), name);
  const { args: form } = commands[name as CommandName];
  const flags = flagsOf(name as CommandName);
  checkArguments(name, form, parseFlags(name, flags, rest, {}, form.includes('…')));
  return name as CommandName;
}

for (const [name, examples] of Object.entries(commandExamples)) {
  test(name, () => {
    assert.ok(examples.length <= 3);
    for (const { line } of examples) assert.equal(received(line).map(parse), [name], line);
  });
}

test('overview and shim', () => {
  for (const { line } of overviewExamples) assert.is(received(line).map(parse).length, 1, line);
  for (const { line } of shimExamples) received(line).map(parse);
});

test('a purpose begins with a verb in upper case, and has no full stop', () => {
  for (const { purpose } of [...overviewExamples, ...shimExamples, ...Object.values(commandExamples).flat()])
    assert.match(purpose, /^[A-Z][a-z]+ .*[^.]$/);
});

test.run();
