// Points of a TypeScript file: positions at which the execution of a line of code starts.
import { parse } from '@babel/parser';

/** Statements that do nothing when executed (esbuild writes the values of an enum where they are used). */
const IDLE = new Set([
  'BlockStatement',
  'ClassDeclaration',
  'EmptyStatement',
  'ExportAllDeclaration',
  'FunctionDeclaration',
  'ImportDeclaration',
  'TSDeclareFunction',
  'TSEnumDeclaration',
  'TSInterfaceDeclaration',
  'TSTypeAliasDeclaration',
]);
/** Members of a node that hold a statement without a block around it. */
const BODIES = ['body', 'consequent', 'alternate'];

const isStatement = (node) =>
  /(?:Statement|Declaration)$/.test(node.type) && !IDLE.has(node.type) && !node.declare && !isIdleExport(node);

/** `export { a }`, or the export of a declaration that does nothing. */
function isIdleExport(node) {
  if (node.type === 'ExportDefaultDeclaration') return IDLE.has(node.declaration.type);
  if (node.type !== 'ExportNamedDeclaration') return false;
  return !node.declaration || IDLE.has(node.declaration.type) || node.declaration.declare === true;
}

/**
 * The points of a text, in order, each with its `line` (from 1), `column` (from 0), `start`, `end` (offsets) and
 * `kind`: a `statement` of a list, a `body` without a block, or an `expression`. Each line on which code starts
 * has a point. Expressions are the bodies of arrow functions, the initial values of fields and, on lines where no
 * statement starts, the branches of `?:` and the right sides of `&&`, `||` and `??`.
 */
export function pointsOf(text, path) {
  const { program } = parse(text, {
    sourceType: 'module',
    sourceFilename: path,
    plugins: ['typescript', 'explicitResourceManagement'],
    createParenthesizedExpressions: true,
  });
  const points = [];
  const branches = [];
  const add = (list, node, kind, named = node) => {
    const { line, column } = named.loc.start;
    list.push({ line, column, start: node.start, end: node.end, endLine: node.loc.end.line, kind });
  };
  const visit = (node) => {
    for (const statement of listOf(node)) if (isStatement(statement)) add(points, statement, 'statement');
    if (node.type !== 'LabeledStatement' && /Statement$/.test(node.type)) {
      for (const name of BODIES) {
        const body = node[name];
        if (body && !Array.isArray(body) && isStatement(body)) add(points, body, 'body');
      }
    }
    if (node.type === 'ArrowFunctionExpression' && node.body.type !== 'BlockStatement')
      add(points, node.body, 'expression');
    if (/^Class(?:Private|Accessor)?Property$/.test(node.type) && node.value && !node.declare)
      add(points, node.value, 'expression', node);
    if (node.type === 'ConditionalExpression') {
      add(branches, node.consequent, 'expression');
      add(branches, node.alternate, 'expression');
    }
    if (node.type === 'LogicalExpression') add(branches, node.right, 'expression');
    for (const [name, value] of Object.entries(node)) {
      if (name === 'loc' || name === 'extra' || /^(?:leading|trailing|inner)Comments$/.test(name)) continue;
      for (const child of Array.isArray(value) ? value : [value]) if (typeof child?.type === 'string') visit(child);
    }
  };
  visit(program);
  const lines = new Set(points.map((point) => point.line));
  return [...points, ...branches.filter((point) => !lines.has(point.line))].sort(
    (a, b) => a.start - b.start || b.end - a.end,
  );
}

/** The statements that a node executes one after the other. */
function listOf(node) {
  if (['Program', 'BlockStatement', 'StaticBlock'].includes(node.type)) return node.body;
  return node.type === 'SwitchCase' ? node.consequent : [];
}

/** The text with a store to `NAME[first + n]` before point n; no line moves. */
export function instrumented(text, points, first, name) {
  const inserts = [];
  points.forEach(({ start, end, kind }, n) => {
    const hit = `${name}[${first + n}]=1`;
    const [before, after] = { statement: [`${hit};`, ''], body: [`{${hit};`, '}'], expression: [`(${hit},`, ')'] }[
      kind
    ];
    inserts.push({ at: start, rank: 1, n, text: before });
    // At one offset an end goes before a start, and an inner end before an outer one.
    if (after) inserts.push({ at: end, rank: 0, n: -n, text: after });
  });
  inserts.sort((a, b) => a.at - b.at || a.rank - b.rank || a.n - b.n);
  let out = '';
  let from = 0;
  for (const insert of inserts) {
    out += text.slice(from, insert.at) + insert.text;
    from = insert.at;
  }
  return out + text.slice(from);
}
