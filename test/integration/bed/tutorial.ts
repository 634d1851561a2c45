/** The commands of docs/tutorial.md, and two shells to type them into: root's, and an ordinary user's in the same mount namespace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { COMMAND_LIMIT, DEADLINE, eventually } from '../../deadline.js';

/** One command of the page and what stands below it. */
interface Step {
  /** The heading that it stands under. */
  section: string;
  line: number;
  by: 'root' | 'user';
  command: string;
  output: string[];
}

/** Commands are the lines of `console` blocks that begin with a prompt. */
export function steps(page: string): Step[] {
  const found: Step[] = [];
  let section = '';
  let inside = false;
  for (const [i, text] of page.split('\n').entries()) {
    if (text.startsWith('```')) inside = text === '```console';
    else if (!inside && text.startsWith('## ')) section = text.slice(3);
    else if (inside && /^[#$] /.test(text)) {
      found.push({ section, line: i + 1, by: text[0] === '#' ? 'root' : 'user', command: text.slice(2), output: [] });
    } else if (inside) found.at(-1)!.output.push(text);
  }
  return found;
}

/** Whether lines are what the page shows: `…` stands for any text of a line, and alone for any lines. */
export function shows(expected: readonly string[], actual: readonly string[]): boolean {
  const pattern = expected.map((line) =>
    line === '…'
      ? '(?:.*\n)*'
      : `${line
          .split('…')
          .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
          .join('.*')}\n`,
  );
  return new RegExp(`^${pattern.join('')}$`).test(actual.map((line) => `${line}\n`).join(''));
}

/** A bash that gets one command after the other. */
export class Shell {
  readonly #bash: ChildProcess;
  #text = '';
  #ended = false;

  constructor(program: string, args: readonly string[], env: Record<string, string>) {
    this.#bash = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#bash.stdout!.on('data', (data: Buffer) => {
      this.#text += data.toString();
    });
    this.#bash.on('exit', () => {
      this.#ended = true;
    });
    this.#bash.stdin!.on('error', () => {});
    this.#bash.stdin!.write('exec 2>&1\n');
  }

  /** What a command printed, on standard error too, and its status. */
  async type(command: string, ms = COMMAND_LIMIT): Promise<{ lines: string[]; status: number }> {
    this.#text = '';
    const mark = `--- ${Math.random()}`;
    // What the shell reads is not for the command.
    this.#bash.stdin!.write(`{ ${command}\n} </dev/null\nprintf '\\n%s %d\\n' '${mark}' $?\n`);
    const look = () => {
      const at = this.#text.indexOf(`\n${mark} `);
      const end = at < 0 ? -1 : this.#text.indexOf('\n', at + 1);
      if (end < 0 && this.#ended) throw new Error(`the shell ended: ${command}\n${this.#text}`);
      return end >= 0 && at;
    };
    const at = await eventually(`the end of: ${command}`, look, ms);
    const printed = this.#text.slice(0, at);
    return {
      lines: printed === '' ? [] : printed.replace(/\n$/, '').split('\n'),
      status: Number.parseInt(this.#text.slice(at + 2 + mark.length), 10),
    };
  }

  /** Ends it: its input is over. What still hangs then is killed. */
  async end(): Promise<void> {
    this.#bash.stdin!.end();
    if (this.#ended) return;
    const timer = setTimeout(() => this.#bash.kill('SIGKILL'), DEADLINE);
    await new Promise<void>((resolve) => this.#bash.once('exit', () => resolve()));
    clearTimeout(timer);
  }
}
