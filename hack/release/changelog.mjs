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
  const indent = ' '.repeat(first.length);
  const lines = [];
  let line = first;
  for (const word of text.split(' ')) {
    if (line === first) line += word;
    else if (line.length + word.length > 77) {
      lines.push(line);
      line = indent + word;
    } else line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** The time of the sources as RFC 5322 has it, in UTC: `Sun, 29 Nov 2026 18:24:04 GMT`. */
const mailDate = () => new Date(epoch * 1000).toUTCString();

export function debianChangelog(maintainer) {
  const lines = entries().map((text) => wrap(text, '  * '));
  const date = mailDate().replace('GMT', '+0000');
  return `runt (${version}) unstable; urgency=medium\n\n${lines.join('\n')}\n\n -- ${maintainer}  ${date}\n`;
}

export function rpmChangelog() {
  const [weekday, day, month, year] = mailDate().replace(',', '').split(' ');
  const lines = entries().map((text) => wrap(text, '- ').replaceAll('%', '%%'));
  return `* ${weekday} ${month} ${day} ${year} the runt authors <runt@localhost> - ${version}-1\n${lines.join('\n')}\n`;
}
