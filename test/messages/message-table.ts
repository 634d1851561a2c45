/** Every text of runt that a user can read in a failure, a warning or a log line, as a table, from the syntax trees. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from '@babel/parser';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Files without messages: texts of help, of generated headers and of `explain`. */
const without =
  /^src\/(?:cli\/(?:man|help)\/|cli\/command-syntax|spec\/options\/default-seccomp|cli\/commands\/(?:help|completion)-command|sys\/(?:abi|errno|protocol|polyfill)|plan\/explain\/|plan\/.*-ops\.ts)/;

/** Properties whose texts are no messages: documentation, references, lines of `explain`. */
const unread = new Set(['doc', 'see', 'rows', 'at', 'syscall', 'fields', 'phase']);

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function children(node: Node): Node[] {
  const found: Node[] = [];
  for (const [field, value] of Object.entries(node)) {
    if (field === 'loc' || field.endsWith('Comments') || field === 'typeAnnotation' || field === 'errors') continue;
    if (Array.isArray(value)) found.push(...value.filter(isNode));
    else if (isNode(value)) found.push(value);
  }
  return found;
}

const textOf = (node: Node | undefined): string => (node?.type === 'StringLiteral' ? String(node.value) : '');
const nameOf = (node: Node | undefined): string => String(node?.name ?? node?.value ?? '');
const properties = (node: Node): Node[] =>
  (node.properties as Node[]).filter(({ type }) => type === 'ObjectProperty' || type === 'ObjectMethod');
const keyOf = (property: Node): string => nameOf(property.key as Node);

/** The messages of one file. */
class Source {
  readonly rows: string[] = [];
  /** Operations with their codes, from a room's hints. */
  readonly codes = new Map<string, string>();
  /** Operations with their sentences, from a room's messages. */
  readonly sentences: [op: string, sentence: string][] = [];
  /** Starts of the literals that are in a row. */
  private readonly used = new Set<number>();
  private readonly constants: { readonly name: string; readonly init: Node; readonly scope: Node }[] = [];

  constructor(file: string) {
    const { program } = parse(readFileSync(file, 'utf8'), { sourceType: 'module', plugins: ['typescript'] });
    const root = program as unknown as Node;
    this.collect(root, root);
    this.walk(root);
    this.rest(root);
  }

  /** Constants that hold texts: messages use them. */
  private collect(node: Node, scope: Node): void {
    if (node.type === 'VariableDeclarator' && isNode(node.init) && (node.id as Node).type === 'Identifier')
      this.constants.push({ name: nameOf(node.id as Node), init: node.init, scope });
    for (const child of children(node)) this.collect(child, node.type === 'BlockStatement' ? node : scope);
  }

  private constant(name: string, at: Node): Node | undefined {
    const around = this.constants.filter((c) => c.name === name && c.scope.start <= at.start && at.start < c.scope.end);
    const init = around.at(-1)?.init;
    return init && /^(?:StringLiteral|TemplateLiteral|ConditionalExpression|BinaryExpression)$/.test(init.type)
      ? init
      : undefined;
  }

  /** The texts that an expression may have; `<name>` stands for a value. */
  private texts(node: Node): string[] {
    switch (node.type) {
      case 'StringLiteral':
        this.used.add(node.start);
        return [textOf(node)];
      case 'TemplateLiteral': {
        this.used.add(node.start);
        const quasis = (node.quasis as Node[]).map(({ value }) => (value as { cooked: string }).cooked);
        const values = (node.expressions as Node[]).map((e) => this.value(e));
        return [quasis.map((q, i) => q + (values[i] ?? '')).join('')];
      }
      case 'ConditionalExpression':
        return [...this.texts(node.consequent as Node), ...this.texts(node.alternate as Node)];
      case 'LogicalExpression':
        if (node.operator === '&&') return this.texts(node.right as Node);
        return [...this.texts(node.left as Node), ...this.texts(node.right as Node)];
      case 'BinaryExpression':
        if (node.operator !== '+') return ['<value>'];
        return [this.value(node.left as Node) + this.value(node.right as Node)];
      case 'Identifier': {
        const init = this.constant(nameOf(node), node);
        return init ? this.texts(init) : [`<${nameOf(node)}>`];
      }
      case 'ArrowFunctionExpression':
      case 'FunctionExpression':
        return this.results(node.body as Node);
      case 'ParenthesizedExpression':
      case 'AwaitExpression':
      case 'TSNonNullExpression':
      case 'TSAsExpression':
        return this.texts((node.expression ?? node.argument) as Node);
      case 'MemberExpression':
      case 'OptionalMemberExpression':
        return [node.computed ? `<${this.bare(node.object as Node)}>` : `<${nameOf(node.property as Node)}>`];
      case 'CallExpression':
      case 'OptionalCallExpression': {
        const callee = node.callee as Node;
        const subject = (node.arguments as Node[])[0];
        if (callee.type === 'Identifier' && nameOf(callee) === 'clipped' && subject) return this.texts(subject);
        if (callee.type === 'MemberExpression' && !/^[A-Z]/.test(nameOf(callee.object as Node)))
          return [`<${this.bare(callee.object as Node)}>`];
        return [subject ? `<${this.bare(subject)}>` : `<${this.bare(callee)}>`];
      }
      default:
        return ['<value>'];
    }
  }

  /** The texts that a function returns. */
  private results(body: Node): string[] {
    if (body.type !== 'BlockStatement') return this.texts(body);
    const found: string[] = [];
    const visit = (node: Node): void => {
      if (node.type === 'ReturnStatement' && isNode(node.argument)) found.push(...this.texts(node.argument));
      else if (!/Function/.test(node.type)) for (const child of children(node)) visit(child);
    };
    visit(body);
    return found;
  }

  /** A part of a text: `{one|other}` if it depends. */
  private value(node: Node): string {
    const all = this.texts(node);
    return all.length === 1 && node.type !== 'LogicalExpression'
      ? all[0]!
      : `{${(node.type === 'LogicalExpression' && node.operator === '&&' ? ['', ...all] : all).join('|')}}`;
  }

  /** The name of a value, without brackets. */
  private bare(node: Node): string {
    return this.texts(node)[0]!.replace(/[<>]/g, '').slice(0, 30);
  }

  private add(code: string, message: string, hint = ''): void {
    const row = [code, message, hint].map((cell) => cell.replaceAll('\n', ' ')).join(' | ');
    if (/[a-z]/.test(`${message}${hint}`.replace(/<[^>]*>/g, ''))) this.rows.push(row.trimEnd());
  }

  private walk(node: Node): void {
    if (node.type === 'ObjectExpression') this.object(node);
    if (node.type === 'CallExpression' || node.type === 'NewExpression') this.call(node);
    for (const child of children(node)) this.walk(child);
  }

  private object(node: Node): void {
    const of = new Map(properties(node).map((p) => [keyOf(p), (p.value ?? p) as Node]));
    const [message, hint, code] = [of.get('message'), of.get('hint'), of.get('code')];
    const isHint = hint !== undefined && !/Function/.test(hint.type);
    if (message || isHint) {
      const codes = code ? this.texts(code).join('/') : '';
      const hints = isHint ? this.texts(hint) : [''];
      const messages = message ? this.texts(message) : [''];
      for (const [i, text] of messages.entries()) this.add(codes, text, i === 0 ? hints[0] : '');
      for (const text of hints.slice(1)) this.add(codes, '', text);
    }
    for (const property of properties(node)) {
      const value = property.value as Node | undefined;
      if (value?.type !== 'ObjectExpression') continue;
      const inner = new Map(properties(value).map((p) => [keyOf(p), (p.value ?? p) as Node]));
      if (inner.has('sentence'))
        for (const text of this.texts(inner.get('sentence')!)) this.sentences.push([keyOf(property), text]);
      if (inner.has('code') && !inner.has('message')) this.codes.set(keyOf(property), textOf(inner.get('code')));
    }
  }

  private call(node: Node): void {
    const callee = node.callee as Node;
    const args = node.arguments as Node[];
    const name = callee.type === 'MemberExpression' ? nameOf(callee.property as Node) : nameOf(callee);
    if (name === 'hintOf') for (const text of this.texts(args[0]!)) this.add('', '', text);
    if ((name === 'refuse' || name === 'warn') && args.length === 4) {
      for (const text of this.texts(args[2]!))
        this.add(
          name === 'refuse' ? 'ERR_SPEC_INVALID' : 'warning',
          `${this.value(args[0]!)} ${name === 'refuse' ? 'must' : 'should'} ${text}`,
        );
    }
    if (name === 'StatusError' && args[1])
      for (const text of this.texts(args[1])) this.add(`${this.bare(args[0]!)}`, text);
  }

  /** Each other text of more than one word: log lines, warnings, parts of messages. */
  private rest(node: Node): void {
    if (/^(?:Import|Export(?:All|Named))Declaration$/.test(node.type) && isNode(node.source)) return;
    if (node.type.startsWith('TS') && !/Expression$/.test(node.type)) return;
    if (/^Object(?:Property|Method)$/.test(node.type) && unread.has(keyOf(node))) return;
    if (node.type === 'StringLiteral' || node.type === 'TemplateLiteral') {
      if (this.used.has(node.start)) return;
      for (const text of this.texts(node))
        if (/[a-z]{2,}'?,? (?:<|[a-z])|[>:] [a-z]{2,}/.test(text)) this.add('text', text);
      return;
    }
    if (node.type === 'CallExpression' && nameOf(node.callee as Node) === 'hintOf') {
      // The second argument is a reference.
      for (const child of (node.arguments as Node[]).slice(0, 1)) this.rest(child);
      return;
    }
    for (const child of children(node)) this.rest(child);
  }
}

/** Texts of several words in C: details of runt-init's reports. */
function nativeRows(file: string): string[] {
  const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*#.*$|\/\/.*$/gm, '');
  return [...code.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)]
    .map(([, text]) => text!)
    .filter((text) => /[A-Za-z]{2,} [a-z]+/.test(text) && !/[%:]{2}|\\n\\t|\\t$/.test(text))
    .map((text) => `text | ${text}`);
}

/** Lines `CODE | message | hint` below a line `# FILE` for each file. */
export function messageTable(): string {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name}`)
    .filter((name) => name.endsWith('.ts') && !without.test(name))
    .sort();
  const sources = files.map((file) => [file, new Source(file)] as const);
  const codes = new Map(sources.flatMap(([, s]) => [...s.codes]));
  const parts = sources.map(
    ([file, s]) => [file, [...s.sentences.map(([op, text]) => `${codes.get(op) ?? op} | ${text}`), ...s.rows]] as const,
  );
  const native = readdirSync('native', { recursive: true, encoding: 'utf8' })
    .map((name) => `native/${name}`)
    .filter((name) => /^native\/(?:init|core)\/.*\.[ch]$/.test(name))
    .sort();
  return [...parts, ...native.map((file) => [file, nativeRows(file)] as const)]
    .filter(([, rows]) => rows.length > 0)
    .map(([file, rows]) => `# ${file}\n${rows.join('\n')}\n`)
    .join('\n');
}
