// runc's tests without their assertions about words.

const failure = /^\s*\[+ "?\$status"? (?:-ne 0|-eq [1-9]\d*) \]|^\s*run (?:!|-[1-9]\d*) (?:__)?runc\s/;
const command = /^@test|^\s*(?:runc|run|sane_run|__runc|retry)\s/;

/**
 * A bats file whose assertions about words are replaced by `:`, and how many there were.
 *
 * A line is one if a pattern matches it: in certain files (`files`), or below an assertion that the last command has
 * failed (`after: 'failure'`). Assertions about statuses, files, cgroups and what a program prints in a container stay.
 */
export function withoutWords(text, name, patterns) {
  const words = patterns
    .filter(({ files }) => files?.includes(name) ?? true)
    .map(({ assertion, unless, after }) => ({
      is: new RegExp(`^\\s*(?:${assertion})\\s*(?:#.*)?$`),
      stays: unless && new RegExp(unless),
      afterFailure: after === 'failure',
    }));
  let failed = false;
  let changed = 0;
  const lines = text.split('\n').map((line) => {
    if (words.some(({ is, stays, afterFailure }) => (!afterFailure || failed) && is.test(line) && !stays?.test(line))) {
      changed++;
      return `${/^\s*/.exec(line)[0]}:`;
    }
    if (failure.test(line)) failed = true;
    else if (command.test(line)) failed = false;
    return line;
  });
  return { text: lines.join('\n'), changed };
}
