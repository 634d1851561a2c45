// Output of coverage: a row for each folder, and the lines of each file that were not executed.

const share = (covered, all) => (all === 0 ? '' : `${(Math.floor((covered / all) * 1000) / 10).toFixed(1)} %`);

/** `src/container/launch/launch.ts` → `src/container`, `src/container/launch`: all folders above a file count it. */
function foldersOf(path) {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

/**
 * The table by folder. A file has its `path`, its number of `lines`, and in `covered` the number of executed
 * lines for each column.
 */
export function folderTable(files, columns) {
  const folders = new Map();
  for (const { path, lines, covered } of files) {
    if (lines === 0) continue;
    for (const folder of foldersOf(path)) {
      const sum = folders.get(folder) ?? { lines: 0, covered: columns.map(() => 0) };
      sum.lines += lines;
      covered.forEach((n, i) => {
        sum.covered[i] += n;
      });
      folders.set(folder, sum);
    }
  }
  const rows = [...folders]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([folder, { lines, covered }]) => [
      folder,
      String(lines),
      ...covered.flatMap((n) => [String(n), share(n, lines)]),
    ]);
  return aligned([['folder', 'lines', ...columns.flatMap((name) => [name, ''])], ...rows]);
}

/** The first column is text, the others are numbers. */
function aligned(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return `${rows.map((row) => line(row).trimEnd()).join('\n')}\n`;
}

/** Numbers of lines as ranges: `3, 7-9`. A range spans no executed line; `lines` are all lines with code, in order. */
export function rangesOf(lines, uncovered) {
  const ranges = [];
  let open;
  for (const line of lines) {
    if (!uncovered.has(line)) open = undefined;
    else if (open) open[1] = line;
    else {
      open = [line, line];
      ranges.push(open);
    }
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}

/** A line for each file that is not fully covered: path, share, and the uncovered ranges. */
export function fileList(files) {
  return files
    .filter(({ lines, uncovered }) => lines > 0 && uncovered !== '')
    .map(({ path, lines, covered, uncovered }) => `${path} ${share(covered.at(-1), lines)}: ${uncovered}\n`)
    .join('');
}
