// What bats has printed.

/**
 * "file: name" → state ("passed", "failed" or "skipped") and output, of each test.
 * @param text the output of `bats -t` for several files, each below a line "file NAME"
 */
export function results(text) {
  const found = new Map();
  let file = '';
  let last;
  for (const line of text.replaceAll('\r', '').split('\n')) {
    const [, not, name, skip] = /^(not )?ok \d+ (.*?)( # skip.*)?$/.exec(line) ?? [];
    if (/^file \S+$/.test(line)) file = line.slice(5);
    else if (name !== undefined) {
      last = { state: not ? 'failed' : skip ? 'skipped' : 'passed', text: [] };
      found.set(`${file}: ${name.trim()}`, last);
    } else if (line.startsWith('#')) last?.text.push(line.slice(2));
  }
  return found;
}

/** The files of which fewer tests ended than bats announced ("1..N"): LIMIT ended them. */
export function unended(text) {
  const ended = new Map();
  for (const test of results(text).keys()) {
    const file = test.slice(0, test.indexOf(': '));
    ended.set(file, (ended.get(file) ?? 0) + 1);
  }
  const announced = [...text.replaceAll('\r', '').matchAll(/^file (\S+)\n(?:1\.\.(\d+))?/gm)];
  return announced.filter(([, file, count]) => (ended.get(file) ?? 0) !== Number(count)).map(([, file]) => file);
}
