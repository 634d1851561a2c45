/** Descriptions and placeholders of the help: complete, alike, and the same in docs/cli.md and docs/spec.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CommandName, commands } from '../../../src/cli/command-syntax.js';
import { commandDescriptions } from '../../../src/cli/help/command-descriptions.js';
import { flagLines, usageLines } from '../../../src/cli/help/flag-lines.js';
import { flagValues } from '../../../src/cli/help/flag-values.js';
import { isPlaceholder, placeholders } from '../../../src/cli/help/placeholders.js';

const names = Object.keys(commands) as CommandName[];
const lines = (['', ...names] as const).flatMap((command) => flagLines(command).map((line) => ({ command, ...line })));
const manual = readFileSync(join(process.cwd(), 'docs/cli.md'), 'utf8');
/** The flags of `spec` have a page of their own. */
const specPage = readFileSync(join(process.cwd(), 'docs/spec.md'), 'utf8');

test('every value is a placeholder, or lists words', () => {
  for (const { command, name, value } of lines) {
    if (value !== '' && !isPlaceholder(value)) assert.match(value, /^[a-z0-9]+(\|[a-z0-9]+)*$/, `${command} --${name}`);
  }
});

test('every placeholder and every entry of flagValues is used', () => {
  const words = names.flatMap((name) => usageLines(name).flatMap((line) => line.split(/[[\]|… ]+/)));
  const used = new Set([...words, ...lines.map((l) => l.value)]);
  for (const name of Object.keys(placeholders)) assert.ok(used.has(name), name);
  for (const name of Object.keys(flagValues))
    assert.ok(
      lines.some((l) => l.name === name),
      name,
    );
});

test('summaries begin with a verb in lower case, and texts of flags have no full stop', () => {
  for (const name of names) assert.match(commandDescriptions[name].summary, /^[a-z]+ .*[^.]$/, name);
  for (const { command, name, text } of lines) assert.match(text, /^\S.*[^.]$/, `${command} --${name}`);
  for (const { text } of Object.values(commandDescriptions) as { text?: string }[])
    if (text !== undefined) assert.match(text, /^\S.*\.$/);
});

/** The section of a command in docs/cli.md; the global flags for ''. */
function sectionOf(command: CommandName | ''): string {
  if (command === '') return /^## Global flags\n(.*?)^## /ms.exec(manual)?.[1] ?? '';
  const sections = manual.split(/^#{2,3} /m);
  return sections.find((text) => text.split('\n', 1)[0]!.split(', ').includes(command)) ?? '';
}

test('docs/cli.md has the values of the help', () => {
  for (const command of ['', ...names] as const) {
    const section = command === 'spec' ? specPage : sectionOf(command);
    if (command !== 'help') assert.not.equal(section, '', command);
    for (const { name, value } of flagLines(command)) {
      // A flag without its value is in a list of several flags.
      for (const { 1: shown } of section.matchAll(new RegExp(`^\\| (?:\\\\\\||[^|])*?\`--${name} ([^\`]+)\``, 'gm')))
        if (name !== 'log') assert.is(shown!.replaceAll('\\|', '|'), value, `${command} --${name}`);
    }
  }
});

test('docs/cli.md has the usage lines of the help', () => {
  for (const name of names) {
    const usage = [...sectionOf(name).matchAll(/^```text\n([^`]*)^```$/gm)].map((m) => m[1]!).join('');
    const documented = [...usage.matchAll(/^runt (.*)$/gm)].map((m) => m[1]!);
    if (name !== 'help') assert.ok(documented.length > 0, name);
    for (const line of documented.filter((l) => l.split(' ')[0] === name)) {
      const flags = line.match(/(?<=\[?)--?[a-z0-9-]+/g) ?? [];
      const known = flagLines(name).flatMap((f) => [`--${f.name}`, `-${f.short}`]);
      for (const flag of flags) assert.ok(known.includes(flag), `${line}: ${flag}`);
      const required = (usage: string) => usage.replaceAll(/ ?\[(-[^\]]*|flags)\]/g, '').trim();
      const forms = usageLines(name).map(required);
      assert.ok(forms.includes(required(line)), `${line}: not one of\n${forms.join('\n')}`);
    }
  }
});

test.run();
