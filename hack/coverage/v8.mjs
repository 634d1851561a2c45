// Coverage from Node.js (NODE_V8_COVERAGE), mapped through source maps to the points of the sources.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIGITS = new Map(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((c, value) => [c, value]),
);

/**
 * The segments of a source map with a source: `[generated line, generated column, source, line, column]`, all
 * from 0.
 */
export function segmentsOf(mappings) {
  const segments = [];
  let [source, line, column] = [0, 0, 0];
  mappings.split(';').forEach((text, generatedLine) => {
    let generatedColumn = 0;
    for (const segment of text.split(',')) {
      if (segment === '') continue;
      const fields = numbersOf(segment);
      generatedColumn += fields[0];
      if (fields.length < 4) continue;
      source += fields[1];
      line += fields[2];
      column += fields[3];
      segments.push([generatedLine, generatedColumn, source, line, column]);
    }
  });
  return segments;
}

/** The numbers of a segment: base 64, five bits per digit, the lowest bit of a number is its sign. */
function numbersOf(segment) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const c of segment) {
    const digit = DIGITS.get(c);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

/** Returns a function: whether the code at an offset was executed. The innermost range decides. */
export function executedAt(functions) {
  const ranges = functions
    .flatMap((f) => f.ranges)
    .sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const starts = [];
  const counts = [];
  const open = [];
  const mark = (offset, count) => {
    if (starts.at(-1) === offset) counts[counts.length - 1] = count;
    else {
      starts.push(offset);
      counts.push(count);
    }
  };
  const close = (until) => {
    while (open.length > 0 && open.at(-1).endOffset <= until) {
      const { endOffset } = open.pop();
      mark(endOffset, open.at(-1)?.count ?? 0);
    }
  };
  for (const range of ranges) {
    close(range.startOffset);
    mark(range.startOffset, range.count);
    open.push(range);
  }
  close(Number.POSITIVE_INFINITY);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle + 1;
      else high = middle;
    }
    return low > 0 && counts[low - 1] > 0;
  };
}

/**
 * Marks the points that ran in the processes whose coverage is in `dir`. `sources` has for each path (below
 * `top`) its `points` and its `hits`, a byte per point.
 */
export function markV8(dir, top, sources) {
  for (const name of readdirSync(dir)) {
    if (!name.startsWith('coverage-')) continue;
    const { result, 'source-map-cache': maps = {} } = JSON.parse(readFileSync(join(dir, name), 'utf8'));
    for (const { url, functions } of result) if (maps[url]?.data) markScript(url, functions, maps[url], top, sources);
  }
}

function markScript(url, functions, { data, lineLengths }, top, sources) {
  const executed = executedAt(functions);
  const lineStarts = [0];
  for (const length of lineLengths) lineStarts.push(lineStarts.at(-1) + length + 1);
  const bySource = new Map();
  for (const segment of segmentsOf(data.mappings)) {
    const list = bySource.get(segment[2]);
    if (list) list.push(segment);
    else bySource.set(segment[2], [segment]);
  }
  data.sources.forEach((path, index) => {
    const source = sources.get(relative(top, fileURLToPath(new URL(path, url))));
    if (!source || !bySource.has(index)) return;
    const segments = bySource.get(index).sort((a, b) => a[3] - b[3] || a[4] - b[4]);
    let at = 0;
    source.points.forEach(({ line, column, endLine }, n) => {
      // Points and segments are in the order of the source; a point starts at the first segment from it on.
      while (at < segments.length && before(segments[at], line - 1, column)) at++;
      for (let i = at; i < segments.length && sameBeginning(segments[i], segments[at], endLine); i++) {
        if (executed(lineStarts[segments[i][0]] + segments[i][1])) source.hits[n] = 1;
      }
    });
  });
}

const before = (segment, line, column) => segment[3] < line || (segment[3] === line && segment[4] < column);
/** One piece of source may be several pieces of the bundle. */
const sameBeginning = (segment, first, endLine) =>
  segment[3] === first[3] && segment[4] === first[4] && segment[3] < endLine;
