/** `runt list`: the containers below the root. */
import { list, listIds } from '../../container/list.js';
import { printable } from '../../plan/printable-text.js';
import type { RuntError } from '../../sys/error.js';
import { reportWarning } from '../command-log.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export function command({ global, flags }: Call<'list'>): number {
  const failures: RuntError[] = [];
  const options = {
    root: rootDirectory(global),
    // The default root is made by the first create; one that is named and missing is a mistake, as with runc.
    mustExist: Boolean(global.root),
    warn: (sentence: string) => reportWarning(global, sentence),
    unknown: (error: RuntError) => failures.push(error),
  };
  if (flags.quiet) print(lines(listIds(options)));
  else if (flags.format === 'json') print(lines([JSON.stringify(list(options))]));
  else {
    const rows = list(options).map((e) => [e.id, String(e.pid), e.status, e.bundle, e.created, e.owner]);
    print(formatTable([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'], ...rows]));
  }
  // Throw after printing: one unreadable container must not hide the others.
  if (failures[0]) throw failures[0];
  return 0;
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('');

/** Columns at least 12 wide with three spaces between them, as in runc: scripts parse them with awk. */
export function formatTable(texts: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  // A path may contain a line feed.
  const rows = texts.map((row) => row.map(printable));
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 12, cell.length + 3);
    });
  }
  return rows
    .map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('')}\n`)
    .join('');
}
