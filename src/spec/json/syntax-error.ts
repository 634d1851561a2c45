/**
 * Where a text stops being JSON (RFC 8259). The messages of the two hosts' JSON.parse differ and one has no position;
 * this scanner runs only after JSON.parse has failed.
 */

export interface SyntaxProblem {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** What is wrong there. */
  readonly problem: string;
}

/** The first error; undefined when the text is JSON. */
export function syntaxError(text: string): SyntaxProblem | undefined {
  const error = new Scanner(text).run();
  if (!error) return undefined;
  const before = text.slice(0, error.at);
  const line = before.split('\n').length;
  return { line, column: error.at - before.lastIndexOf('\n'), problem: error.problem };
}

interface Place {
  at: number;
  problem: string;
}

class Scanner {
  private at = 0;
  /** Open brackets; a stack of ours, so that depth costs no recursion. */
  private readonly open: ('{' | '[')[] = [];

  /** Was the last value a bracket? Then its first entry follows, or its end. */
  private opened = false;

  constructor(private readonly text: string) {}

  run(): Place | undefined {
    let expectValue = true;
    for (;;) {
      this.space();
      if (expectValue) {
        const error = this.value();
        if (error) return error;
        if (this.opened) {
          this.opened = false;
          this.space();
          const object = this.open.at(-1) === '{';
          if (this.text[this.at] !== (object ? '}' : ']')) {
            const keyError = object ? this.key('a key in double quotes or "}"') : undefined;
            if (keyError) return keyError;
            continue;
          }
        }
      }
      // After a value.
      this.space();
      const inside = this.open.at(-1);
      const c = this.text[this.at];
      if (inside === undefined) return c === undefined ? undefined : this.wrong('the end of the text');
      const end = inside === '{' ? '}' : ']';
      if (c === end) {
        this.at++;
        this.open.pop();
        expectValue = false;
      } else if (c === ',') {
        this.at++;
        this.space();
        if (this.text[this.at] === end) return { at: this.at, problem: `a comma stands before "${end}"` };
        const error = inside === '{' ? this.key('a key in double quotes') : undefined;
        if (error) return error;
        expectValue = true;
      } else {
        return this.wrong(`"," or "${end}"`);
      }
    }
  }

  private space(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at++;
  }

  private key(expected: string): Place | undefined {
    if (this.text[this.at] !== '"') return this.wrong(expected);
    const error = this.string();
    if (error) return error;
    this.space();
    if (this.text[this.at] !== ':') return this.wrong('":"');
    this.at++;
    return undefined;
  }

  private value(): Place | undefined {
    const c = this.text[this.at];
    if (c === '{' || c === '[') {
      this.open.push(c);
      this.opened = true;
      this.at++;
      return undefined;
    }
    if (c === '"') return this.string();
    for (const word of ['true', 'false', 'null']) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return undefined;
      }
    }
    const number = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
    number.lastIndex = this.at;
    if (number.test(this.text)) {
      this.at = number.lastIndex;
      return undefined;
    }
    return this.wrong('a value');
  }

  private string(): Place | undefined {
    const start = this.at++;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) return { at: start, problem: 'this string has no end' };
      if (c < ' ')
        return { at: this.at, problem: 'a string has a control character; write it as an escape such as \\n' };
      if (c === '"') break;
      if (c === '\\') {
        const sequence = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
        sequence.lastIndex = this.at;
        if (!sequence.test(this.text)) return { at: this.at, problem: 'a string has an unknown escape' };
        this.at = sequence.lastIndex;
      } else {
        this.at++;
      }
    }
    this.at++;
    return undefined;
  }

  private wrong(expected: string): Place {
    const c = this.text[this.at];
    const found = c === undefined ? 'the text ends' : `"${c}" stands`;
    return { at: this.at, problem: `${found} where ${expected} is expected` };
  }
}
