// A parser for the TAP of the validation programs: assertions by their description, with those of runtimetest inside.

/** The parts of a description that differ from run to run. */
const VARIES = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID'],
  // Temporary names end in such numbers.
  [/\d{6,}/g, 'N'],
];

/**
 * Assertion → `passed`, `failed`, `skipped` (also a failure marked TODO). A repeated description is numbered. Inside a
 * container runtimetest writes its own TAP. If a program quotes it, in the diagnostic of the following assertion, its
 * assertions are added as `outer › inner`.
 */
export function assertions(text) {
  const found = new Map();
  const add = (name, state) => {
    let key = name;
    for (let n = 2; found.has(key); n++) key = `${name} (${n})`;
    found.set(key, state);
    return key;
  };
  let quoted;
  for (let at = 0, lines = text.split('\n'); at < lines.length; at++) {
    if (lines[at].trim() === '---') {
      const end = lines.findIndex((line, index) => index > at && line.trim() === '...');
      if (end < 0) break;
      quoted = tapIn(lines.slice(at + 1, end).join('\n')) ?? quoted;
      at = end;
      continue;
    }
    const line = /^(not )?ok \d+(?: - (.*?))?(?:\s*# (SKIP|TODO)\b ?(.*))?$/.exec(lines[at]);
    if (!line) continue;
    const [, not, description, directive, reason] = line;
    const name = plain(description ?? reason ?? 'nameless');
    const state = directive ? 'skipped' : not ? 'failed' : 'passed';
    const key = add(name, state);
    for (const [inner, how] of quoted ?? []) add(`${key} › ${inner}`, how);
    quoted = undefined;
  }
  return found;
}

function plain(text) {
  return VARIES.reduce((result, [pattern, by]) => result.replaceAll(pattern, by), text).trim();
}

/** The assertions in a diagnostic that quotes the output of a container; undefined if it quotes no TAP. */
function tapIn(diagnostic) {
  try {
    const { stdout } = JSON.parse(diagnostic);
    return typeof stdout === 'string' && stdout.startsWith('TAP version') ? assertions(stdout) : undefined;
  } catch {
    return undefined;
  }
}
