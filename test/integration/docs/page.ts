/** The commands of a page of docs/, and the output that the page shows. docs/testing.md has the rules. */
import { spawnSync } from 'node:child_process';

/** A fenced code block. */
export interface Block {
  /** The number of its first line. */
  line: number;
  language: string;
  text: string;
  /** The HTML comment directly above it. */
  note: string | undefined;
  /** Whether only empty lines separate it from the block above. */
  follows: boolean;
}

/** One command to run. */
export interface Step {
  line: number;
  /** The user who runs it. */
  by: string;
  command: string;
  /** The output that the page shows; undefined if it shows none. */
  output: string[] | undefined;
  /** Whether the command must fail. */
  fails: boolean;
}

/** The user who runs commands after a `$` prompt. */
const USER = 'tutor';

/** The fenced blocks of a page, and its comments `<!-- setup … -->` as blocks of the language `setup`. */
export function blocks(page: string): Block[] {
  const found: Block[] = [];
  const lines = page.split('\n');
  let note: string | undefined;
  let follows = false;
  for (let i = 0; i < lines.length; i++) {
    const text = lines[i]!;
    const fence = /^(```+)(\S*)$/.exec(text);
    const until = (end: string): string => {
      const from = i + 1;
      i = lines.indexOf(end, from);
      if (i < 0) throw new Error(`line ${from}: no line "${end}" ends this`);
      return lines.slice(from, i).join('\n');
    };
    if (text === '<!-- setup') {
      found.push({ line: i + 2, language: 'setup', text: until('-->'), note: undefined, follows: false });
      follows = false;
    } else if (fence) {
      found.push({ line: i + 2, language: fence[2]!, text: until(fence[1]!), note, follows });
      follows = true;
      note = undefined;
    } else if (/^<!-- .* -->$/.test(text)) {
      note = text.slice(5, -4);
    } else if (text !== '') {
      follows = false;
      note = undefined;
    }
  }
  return found;
}

/** The complete commands of a script: lines are joined until bash needs no more. */
export function commands(script: string): { line: number; command: string }[] {
  const found: { line: number; command: string }[] = [];
  let from = 0;
  const lines = script.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const command = lines.slice(from, i + 1).join('\n');
    if (i + 1 < lines.length) {
      if (command.endsWith('\\')) continue;
      if (/["'`({<|]|&&$|\b(?:do|then|else)$|^(?:for|while|if)\b/.test(command)) {
        const { status, stderr } = spawnSync('bash', ['-n'], { input: `${command}\n`, encoding: 'utf8' });
        if (status !== 0 || stderr !== '') continue;
      }
    }
    if (!/^\s*(?:#|$)/.test(command) || command.includes('\n')) found.push({ line: from, command });
    from = i + 1;
  }
  return found;
}

/** Why a block is not run: the comment above it excludes it, or needs a program that is missing. */
export function omission(block: Block, has: (program: string) => boolean): string | undefined {
  if (block.note === 'engine') return 'conformance/engines/run types it';
  const [, kind, rest] = /^(not run|needs): (.+)$/.exec(block.note ?? '') ?? [];
  if (kind === 'not run') return rest;
  const missing = kind === 'needs' ? rest!.split(', ').filter((name) => !has(name)) : [];
  return missing.length > 0 ? `${missing.join(' and ')} is not here` : undefined;
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.split('\n'));

/** The commands of a page: its `sh` and `console` blocks, and the `<!-- setup` comments that prepare for them. */
export function steps(page: string, runs: (block: Block) => boolean): Step[] {
  const found: Step[] = [];
  const all = blocks(page);
  for (const [i, block] of all.entries()) {
    if (!runs(block)) continue;
    const { language, text, line, note } = block;
    if (language === 'setup') {
      for (const { command, line: at } of commands(text)) {
        found.push({ line: line + at, by: 'root', command, output: undefined, fails: false });
      }
    } else if (language === 'console') {
      for (const [n, shown] of text.split('\n').entries()) {
        const prompt = /^[#$] /.test(shown);
        if (prompt) {
          const by = shown[0] === '#' ? 'root' : USER;
          found.push({ line: line + n, by, command: shown.slice(2), output: [], fails: false });
        } else found.at(-1)!.output!.push(shown);
      }
      // A command that is shown to fail has a message.
      for (const step of found.filter((s) => s.line >= line)) step.fails = step.output!.length > 0;
    } else if (language === 'sh') {
      const by = /^as (\S+)$/.exec(note ?? '')?.[1] ?? 'root';
      const next = all[i + 1];
      const output = next?.follows && ['text', 'json'].includes(next.language) ? linesOf(next.text) : undefined;
      const list = commands(text);
      // The output is that of the whole block, so its commands are run as one.
      const typed = output ? [{ line: 0, command: list.map(({ command }) => command).join('\n') }] : list;
      for (const { command, line: at } of typed) {
        found.push({ line: line + at, by, command, output, fails: note === 'fails' });
      }
    }
  }
  return found;
}

/** Whether lines are what the page shows: `…` stands for any text of a line, and alone for any lines. */
export function shows(expected: readonly string[], actual: readonly string[]): boolean {
  const pattern = expected.map((line) =>
    line.trim() === '…'
      ? '(?:.*\n)*'
      : `${line
          .split('…')
          .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
          .join('[^\\n]*')}\n`,
  );
  return new RegExp(`^${pattern.join('')}$`).test(actual.map((line) => `${line}\n`).join(''));
}
