// Sources whose coverage is measured, with their points, numbered from the first file to the last.
import { readdirSync, readFileSync } from 'node:fs';
import { POINTS_SIZE } from './instrument.mjs';
import { pointsOf } from './points.mjs';

/** For each path of src/: its text, its points and the number of the first one. */
export function typeScriptSources() {
  const sources = new Map();
  let first = 0;
  const names = readdirSync('src', { recursive: true }).filter((name) => name.endsWith('.ts'));
  for (const path of names.map((name) => `src/${name}`).sort()) {
    const text = readFileSync(path, 'utf8');
    const points = pointsOf(text, path);
    sources.set(path, { text, points, first });
    first += points.length;
  }
  if (first > POINTS_SIZE)
    throw new Error(`src/ has ${first} points: raise POINTS_SIZE (hack/coverage/instrument.mjs)`);
  return sources;
}
