// The newest version's section of CHANGELOG.md: for NOTES.md, and as Debian's and RPM's changelogs.
import { readFileSync } from 'node:fs';
import { epoch, version } from './files.mjs';

/** The section's text, without its title. */
export function section() {
  const [, ...parts] = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m);
  const part = parts.find((text) => text.startsWith(version) || text.startsWith(`[${version}]`));
  if (part === undefined) throw new Error(`release: CHANGELOG.md has no section ${version}`);
  return part.slice(part.indexOf('\n') + 1).trim();
}

/** Its entries, without Markdown. */
export const entries = () =>
  [...section().matchAll(/^[*-] (.*(?:\n {2}.*)*)/gm)].map(([, text]) =>
    text.replace(/\s+/g, ' ').replace(/[`*]/g, ''),
  );

/** `text` in lines of at most 78 characters; the first begins with `first`, others with as many spaces. */
export function wrap(text, first) {
  const lines = [first];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last.trim() !== first.trim() && last.length + word.length > 77) lines.push(' '.repeat(first.length) + word);
    else if (last.length + word.length > 77 && last.length > first.length) lines.push(' '.repeat(first.length) + word);
    else lines[lines.length - 1] += last.endsWith(' ') ? word : ` ${word}`;
  }
  return lines.join('\n');
}

const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n) => String(n).padStart(2, '0');

export function debianChangelog(maintainer) {
  const d = new Date(epoch * 1000);
  const clock = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  const date = `${day[d.getUTCDay()]}, ${two(d.getUTCDate())} ${month[d.getUTCMonth()]} ${d.getUTCFullYear()} ${clock} +0000`;
  const lines = entries().map((text) => wrap(text, '  * '));
  return `runt (${version}) unstable; urgency=medium\n\n${lines.join('\n')}\n\n -- ${maintainer}  ${date}\n`;
}

export function rpmChangelog() {
  const d = new Date(epoch * 1000);
  const date = `${day[d.getUTCDay()]} ${month[d.getUTCMonth()]} ${two(d.getUTCDate())} ${d.getUTCFullYear()}`;
  const lines = entries().map((text) => wrap(text, '- ').replaceAll('%', '%%'));
  return `* ${date} the runt authors <runt@localhost> - ${version}-1\n${lines.join('\n')}\n`;
}
