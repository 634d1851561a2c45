// The pictures of README.md, drawn from what dist/runt prints on a terminal, as root: pictures.mjs
//
// Writes docs/pictures/*.svg. Each shows commands and their output; rows that are left out are shown as "…". The output
// depends on the machine, so a picture is drawn anew only when what it shows has changed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const columns = 100;

/** A bundle in a private /srv, so that the paths in the pictures are short. */
const bundle = `mount -t tmpfs tmpfs /srv
mkdir -p /srv/web /srv/site
hack/rootfs /srv/web/rootfs >/dev/null
PATH=$PWD/dist:$PATH
cd /srv`;

/** What commands print on a terminal of that many columns, in a mount namespace of their own. */
function shown(setup, command) {
  const script = `${bundle}\n${setup}\nexport TERM=xterm-256color
script -qec ${quote(`stty cols ${columns} rows 50; ${command}`)} /dev/null </dev/null`;
  const r = spawnSync('unshare', ['--mount', '--propagation', 'private', 'bash', '-euc', script], { encoding: 'utf8' });
  if (r.stderr) throw new Error(r.stderr);
  return r.stdout.replaceAll('\r', '').trimEnd().split('\n');
}
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A sequence that switches the look of what follows (SGR, ECMA-48). */
const sgr = new RegExp(`${String.fromCharCode(27)}\\[([\\d;]*)m`);
const plain = (line) =>
  line
    .split(sgr)
    .filter((_, i) => i % 2 === 0)
    .join('');

/**
 * At most so many rows of each wanted section of explain's output, without those about cgroups: they differ between
 * hosts.
 */
function excerpt(lines, wanted) {
  const kept = [lines[0]];
  let section = '';
  let rows = [];
  let skipped = false;
  const close = () => {
    const most = wanted[section];
    if (!most) return;
    kept.push('', ...rows.slice(0, most + 1));
    if (rows.length > most + 1) kept.push('    …');
  };
  for (const line of lines.slice(1)) {
    if (/^\S/.test(plain(line))) {
      close();
      section = plain(line);
      rows = [line];
    } else if (plain(line).trim() !== '') {
      // Further lines of an operation have no number.
      if (/^ *\d+ /.test(plain(line))) skipped = plain(line).includes('cgroup');
      if (!skipped && !plain(line).includes('cgroup')) rows.push(line);
    }
  }
  close();
  return kept;
}

const [cell, height, margin] = [7.8, 17, 18];
const xml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const classes = { 1: 'b', 2: 'd' };

/** The pieces of a line with one look each. */
function pieces(line) {
  const found = [];
  let look = '';
  let column = 0;
  for (const [i, part] of line.split(sgr).entries()) {
    if (i % 2 === 1) look = classes[part] ?? '';
    else {
      // Renderers join spaces: each cell is a text of its own.
      for (const text of part.split(/( {2,})/)) {
        if (text.trim()) found.push({ text, column, look });
        column += text.length;
      }
    }
  }
  return found;
}

/** Lines that a terminal of that width would show. */
function wrapped(line) {
  if (sgr.test(line) || line.length <= columns) return [line];
  return [line.slice(0, columns), ...wrapped(line.slice(columns))];
}

/** An SVG of a terminal; a line that begins with "$ " is a command. */
function terminal(lines, title) {
  const all = lines.flatMap(wrapped);
  const [w, h] = [Math.ceil(columns * cell + 2 * margin), all.length * height + 3 * margin];
  const rows = all.flatMap((line, i) => {
    const y = 2 * margin + (i + 1) * height - 4;
    return pieces(line).map(({ text, column, look }) => {
      const start = text.length - text.trimStart().length;
      const word = text.trim();
      const style = line.startsWith('$ ') ? 'c' : look;
      const x = (margin + (column + start) * cell).toFixed(1);
      const wide = `textLength="${(word.length * cell).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`;
      return `<text x="${x}" y="${y}" ${wide}${style && ` class="${style}"`}>${xml(word)}</text>`;
    });
  });
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, i) => `<circle cx="${margin + i * 16}" cy="17" r="5" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" role="img">
<title>${xml(title)}</title>
<style>
text { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre }
.b { fill: #ffffff; font-weight: bold } .d { fill: #8b949e } .c { fill: #7ee787 }
</style>
<rect width="${w}" height="${h}" rx="8" fill="#15191f"/>
${dots.join('')}
${rows.join('\n')}
</svg>
`;
}

mkdirSync('docs/pictures', { recursive: true });
const explain = shown(
  'runt spec --bundle web --rootless --volume site:/www:ro -- httpd -f -h /www',
  'runt explain web',
);
const picked = excerpt(explain, { namespaces: 6, 'root and mounts': 8, 'hide and protect': 3, identity: 5, start: 6 });
writeFileSync('docs/pictures/explain.svg', terminal(['$ runt explain web', ...picked], 'The output of runt explain'));
const broken =
  'runt spec --bundle web --uid-map 0:100000:65536 -- httpd -f\nsed -i \'/"type": "pid"/,+2d\' web/config.json';
const error = shown(broken, 'runt run --bundle web web || true');
writeFileSync('docs/pictures/error.svg', terminal(['$ runt run --bundle web web', ...error], 'An error of runt'));
