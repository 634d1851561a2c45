/** Completion scripts: complete, and what the shells offer with them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main } from '../../../src/cli/command-main.js';
import { type CommandName, commands } from '../../../src/cli/command-syntax.js';
import { scripts } from '../../../src/cli/commands/completion-command.js';
import { flagLines } from '../../../src/cli/help/flag-lines.js';
import { DEADLINE } from '../../deadline.js';
import { fakeHost } from '../../sys/fake-host.js';

const names = Object.keys(commands) as CommandName[];
const all = scripts();

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** A directory with a fake `runt` that lists two containers, and the scripts. */
function withShell<T>(f: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'runt-completion-'));
  try {
    const fake =
      '#!/bin/sh\n[ "$*" = "list -q" ] && printf "web\\ndb\\n"; [ "$*" = "--root /r list -q" ] && echo other\n';
    writeFileSync(join(dir, 'runt-fake'), fake);
    writeFileSync(join(dir, 'runt'), fake);
    for (const name of ['runt-fake', 'runt']) chmodSync(join(dir, name), 0o755);
    for (const [name, text] of Object.entries(all)) writeFileSync(join(dir, `script-${name}`), text);
    return f(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('each script names every command and every long flag', () => {
  for (const [name, text] of Object.entries(all)) {
    for (const command of names) assert.match(text, command, name);
    for (const where of ['', ...names] as const) {
      for (const flag of flagLines(where))
        assert.match(text, name === 'runt.fish' ? `-l ${flag.name}` : `--${flag.name}`);
    }
    assert.not.match(text, 'undefined');
  }
});

test('completion prints the script of a shell, and refuses an unknown shell', async () => {
  for (const [shell, file] of [
    ['bash', 'runt'],
    ['zsh', '_runt'],
    ['fish', 'runt.fish'],
  ] as const) {
    const host = fakeHost(['completion', shell]);
    assert.is(await main(), 0);
    assert.is(host.written(1), all[file]);
  }
  const host = fakeHost(['completion', 'bsh']);
  assert.is(await main(), 1);
  assert.match(host.written(2), 'unknown shell bsh: there are bash, zsh and fish; did you mean bash?');
});

/** The completions that bash offers for the last word of a line. */
function inBash(f: (complete: (...line: string[]) => string[]) => void): void {
  withShell((dir) => {
    const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _runt; printf '%s\\n' "\${COMPREPLY[@]}"`;
    f((...line) => {
      const args = ['-c', script, join(dir, 'script-runt'), join(dir, 'runt-fake'), ...line];
      return execFileSync('bash', args, { encoding: 'utf8', cwd: dir }).split('\n').filter(Boolean);
    });
  });
}

test('bash completes commands, flags, and the choices of a flag', () =>
  inBash((complete) => {
    assert.equal(complete('').sort(), [...names].sort());
    assert.equal(complete('cre'), ['create']);
    assert.equal(complete('--cg'), ['--cgroup-manager']);
    assert.equal(complete('--log-format', ''), ['text', 'json']);
    assert.equal(complete('--log-format', '=', 'j'), ['json']);
    assert.equal(complete('--log-format', '='), ['text', 'json']);
    assert.equal(complete('--log', 'x', 'st'), ['start', 'state', 'stop']);
    assert.equal(complete('--debug', '--root', '=', '/r', 'li'), ['list']);
    // In one word, where = does not break words.
    assert.equal(complete('--log-format=j'), ['--log-format=json']);
    assert.equal(complete('list', '--format='), ['--format=table', '--format=json']);
    assert.equal(complete('--rootless', ''), ['true', 'false', 'auto']);
    assert.equal(complete('list', '--f'), ['--format']);
    assert.equal(complete('list', '-f', ''), ['table', 'json']);
    assert.equal(complete('checkpoint', '--empty-ns', ''), ['network']);
    assert.equal(complete('update', '--cpu-idle', ''), ['0', '1']);
  }));

test('bash completes container ids', () =>
  inBash((complete) => {
    assert.equal(complete('state', ''), ['web', 'db']);
    assert.equal(complete('kill', '--all', 'w'), ['web']);
    assert.equal(complete('--root', '/r', 'delete', ''), ['other']);
    assert.equal(complete('--root', '=', '/r', 'delete', ''), ['other']);
    assert.equal(complete('--root=/r', 'delete', ''), ['other']);
    assert.equal(complete('kill', '-s', 'KILL', 'w'), ['web']);
    assert.equal(complete('restore', ''), []);
    assert.equal(complete('exec', 'web', ''), []);
  }));

test('bash completes signals, capabilities, files and directories', () =>
  inBash((complete) => {
    assert.equal(complete('kill', 'web', 'KI'), ['KILL']);
    assert.equal(complete('kill', '-s', '=', 'KILL', 'web', 'TE'), ['TERM']);
    assert.equal(complete('kill', '--signal', '=', 'SEG'), ['SEGV']);
    assert.ok(complete('kill', '--all', 'web', '').includes('HUP'));
    assert.equal(complete('exec', '--cap', 'CAP_MK'), ['CAP_MKNOD']);
    assert.equal(complete('create', ''), []);
    assert.equal(complete('completion', 'z'), ['zsh']);
    assert.equal(complete('create', '--pid-file', 'script-runt.'), ['script-runt.fish']);
    assert.equal(complete('create', '--bundle', 'script'), []);
    assert.equal(complete('validate', 'script-runt.'), ['script-runt.fish']);
    assert.equal(complete('update', '--memory', ''), []);
    assert.equal(complete('help', 'val'), ['validate']);
  }));

for (const [shell, file, check] of [
  ['zsh', '_runt', ['-n']],
  ['fish', 'runt.fish', ['--no-execute']],
] as const) {
  if (!has(shell)) {
    process.stdout.write(`# skip completion: ${shell}: ${shell} is not in PATH\n`);
    test.skip(`${shell} parses its script`);
    continue;
  }
  test(`${shell} parses its script`, () => {
    withShell((dir) => {
      const r = spawnSync(shell, [...check, join(dir, `script-${file}`)], { encoding: 'utf8' });
      assert.equal([r.status, r.stderr], [0, '']);
    });
  });
}

if (has('fish')) {
  test('fish completes commands, flags, choices of a flag and container ids', () => {
    withShell((dir) => {
      const complete = (line: string): string[] => {
        const script = `source ${dir}/script-runt.fish; complete -C '${line}'`;
        const env = { PATH: `${dir}:${process.env.PATH}`, HOME: dir };
        const out = execFileSync('fish', ['--no-config', '-c', script], { encoding: 'utf8', env });
        return out
          .split('\n')
          .filter(Boolean)
          .map((l) => l.split('\t')[0]!);
      };
      assert.equal(complete('runt cre'), ['create']);
      assert.equal(complete('runt --log-format ').sort(), ['json', 'text']);
      assert.equal(complete('runt state ').sort(), ['db', 'web']);
      assert.equal(complete(`runt validate ${dir}/script-runt.`), [`${dir}/script-runt.fish`]);
      assert.equal(complete('runt kill --reg'), ['--regex']);
      assert.equal(complete('runt list --format=').sort(), ['--format=json', '--format=table']);
    });
  });
}

if (has('zsh')) {
  test('zsh completes commands, flags, values of flags, containers and signals', () => {
    withShell((dir) => {
      writeFileSync(join(dir, '_runt'), all._runt!);
      // Each pair: a line before Tab, and a candidate, which is not part of the line.
      const pairs = [
        ['runt cre', 'create'],
        ['runt --log-format ', 'json'],
        ['runt list --format=', 'table'],
        ['runt checkpoint --empty-ns ', 'network'],
        ['runt kill --reg', '--regex'],
        ['runt validate ./script-runt.', 'script-runt.fish'],
        ['runt state ', 'web'],
        ['runt kill web KI', 'KILL'],
      ];
      const script = [
        'zmodload zsh/zpty; zpty z zsh -f -i',
        `zpty -w z "PATH=$PWD:\\$PATH fpath=($PWD \\$fpath); autoload -U compinit; compinit -u -D; bindkey '^I' list-choices; echo REA''DY"`,
        `zpty -r -m z text '*READY*'`,
        ...pairs.map(
          ([line, candidate]) =>
            `zpty -n -w z '${line}'$'\\t'; zpty -r -m z text $'*\\n*${candidate}*'; zpty -n -w z $'\\025'`,
        ),
        'zpty -d z',
      ].join('\n');
      const { status, stderr, error } = spawnSync('zsh', ['-f', '-c', script], {
        cwd: dir,
        encoding: 'utf8',
        timeout: DEADLINE,
      });
      assert.equal([error?.message, status, stderr], [undefined, 0, ''], 'a candidate is missing');
    });
  });
}

test.run();
