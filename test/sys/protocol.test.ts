/** The constants of both ends of a conversation (src/sys/protocol.ts), and the C that hack/gen.mjs makes of them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as protocol from '../../src/sys/protocol.js';

const { Protocol, REPORT, ...lists } = protocol;
const groups: Record<string, object> = { ...lists, REPORT: Object.fromEntries(Object.keys(REPORT).map((k) => [k, k])) };
const single = Object.entries(Protocol).filter(([name]) => !/^\d/.test(name));
/** The C name of a member of a group, as hack/gen.mjs makes it. */
const named = (group: string, key: string): string => `${group}_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
const strings = single.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
const numbers = single.filter((entry): entry is [string, number] => typeof entry[1] === 'number');
for (const [group, members] of Object.entries(groups)) {
  if (Array.isArray(members)) for (const [i, key] of members.entries()) numbers.push([named(group, key), i]);
  else for (const key of Object.values(members as Record<string, string>)) strings.push([named(group, key), key]);
}

test('C has every constant of the protocol with the same value as TypeScript', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-protocol-'));
  try {
    const [source, program] = [join(dir, 'protocol.c'), join(dir, 'protocol')];
    const prints = [
      ...strings.map(([name]) => `puts(${name});`),
      ...numbers.map(([name]) => `printf("%d\\n", ${name});`),
    ];
    writeFileSync(source, `#include "protocol.h"\n#include <stdio.h>\nint main(void) { ${prints.join('\n')} }\n`);
    execFileSync('gcc', ['-Wall', '-Werror', '-Ibuild/gen', source, '-o', program], { stdio: 'pipe' });
    // A message may end with a newline.
    const values = [...strings, ...numbers].map(([, value]) => `${value}\n`);
    assert.is(execFileSync(program, { encoding: 'utf8' }), values.join(''));
    assert.ok(values.length > 50);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('no other source repeats a magic or a name of the protocol', () => {
  // The reasons of an end are plain words.
  const own = Object.entries(Protocol)
    .filter(([name, value]) => typeof value === 'string' && value.length > 5 && !name.includes('REASON_'))
    .map(([, value]) => value);
  const sources = ['src', 'native'].flatMap((dir) =>
    readdirSync(dir, { recursive: true, encoding: 'utf8' }).flatMap((name) =>
      /\.(ts|c|h)$/.test(name) && name !== 'sys/protocol.ts' ? [`${dir}/${name}`] : [],
    ),
  );
  const found = sources.flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return own.flatMap((value) =>
      [`'${value}`, `"${value}`, `\`${value}`].some((s) => text.includes(s)) ? [`${file}: ${value}`] : [],
    );
  });
  assert.equal(found, []);
});

test.run();
