// QuickJS as a static library for musl: from QUICKJS_DIR, or from Debian's source package by the apt of this machine.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hardened } from './flags.mjs';
import { fast } from './quickjs-fast.mjs';
import { immortal } from './quickjs-immortal.mjs';

export const VERSION = '2025.04.26';
// The upstream tarball: Debian's revision of the package may change, but not this.
export const SHA256 = 'ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe';
const SUITE = 'trixie';
const FILES = ['quickjs', 'libregexp', 'libunicode', 'cutils', 'dtoa'];

/** The Debian mirror of this machine; apt knows the origin only of lists that it has fetched. */
function mirror() {
  const lines = execFileSync(
    'apt-get',
    ['indextargets', '--format', '$(CREATED_BY) $(ORIGIN) $(REPO_URI) $(CODENAME)'],
    {
      encoding: 'utf8',
    },
  ).split('\n');
  for (const line of lines) {
    const [kind, origin, uri, codename = ''] = line.split(' ');
    if (kind !== 'Packages' || !uri || codename.includes('-')) continue;
    if (origin === 'Debian' || /\/debian\/*$/.test(uri)) return uri;
  }
  return undefined;
}

const tarballIn = (dir) => readdirSync(dir).find((f) => f.startsWith(`quickjs_${VERSION}`) && f.includes('.orig.tar.'));

function check(path) {
  const sum = createHash('sha256').update(readFileSync(path)).digest('hex');
  if (sum !== SHA256) throw new Error(`${path} has SHA-256 ${sum}, expected ${SHA256}`);
}

/**
 * The tarball in `dir`. It is fetched elsewhere and moved when complete: an interrupted apt leaves a partial file
 * under its name.
 */
function sourceTarball(dir) {
  if (!tarballIn(dir)) {
    const uri = mirror();
    if (!uri) throw new Error('apt has no Debian mirror');
    const to = `${dir}/fetch`;
    rmSync(to, { recursive: true, force: true });
    for (const d of ['apt/lists/partial', 'apt/cache/archives/partial']) mkdirSync(`${to}/${d}`, { recursive: true });
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const signed = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
    writeFileSync(`${to}/apt/sources.list`, `deb-src ${signed}${uri} ${SUITE} main\n`);
    const here = `${process.cwd()}/${to}/apt`;
    const options = [
      `Dir::Etc::sourcelist=${here}/sources.list`,
      'Dir::Etc::sourceparts=-',
      `Dir::State::lists=${here}/lists`,
      `Dir::Cache=${here}/cache`,
      'APT::Sandbox::User=root',
      'APT::Update::Error-Mode=any',
      'Acquire::Retries=2',
      'Acquire::http::Timeout=20',
      'Acquire::https::Timeout=20',
    ].flatMap((o) => ['-o', o]);
    const apt = (...args) =>
      execFileSync('apt-get', [...options, ...args], { cwd: to, stdio: ['ignore', 'ignore', 'inherit'] });
    apt('-q', 'update');
    apt('-q', 'source', '--download-only', 'quickjs');
    const name = tarballIn(to);
    if (!name) throw new Error(`Debian's source package in ${SUITE} has no quickjs ${VERSION}`);
    check(`${to}/${name}`);
    renameSync(`${to}/${name}`, `${dir}/${name}`);
    rmSync(to, { recursive: true });
  }
  const path = `${dir}/${tarballIn(dir)}`;
  try {
    check(path);
  } catch (error) {
    // The next build fetches it again.
    rmSync(path);
    throw error;
  }
  return path;
}

const dir = 'build/quickjs';
/** The sources with the changes of quickjs-immortal.mjs and quickjs-fast.mjs. */
const tree = `${dir}/source`;

/** The text of a file of QuickJS with its changes. Throws when they do not fit this version. */
function withChanges(file, text) {
  let changed = text;
  for (const [name, from, times, to] of [...immortal, ...fast]) {
    if (name !== file) continue;
    let found = 0;
    changed = changed.replaceAll(from, (...match) => {
      found++;
      return to(...match);
    });
    if (found !== times) throw new Error(`${name} of QuickJS has ${found} times, expected ${times}: ${from}`);
  }
  return changed;
}

/** Makes the tree, unless it was made from the same sources with the same changes. */
function source() {
  mkdirSync(dir, { recursive: true });
  const own = process.env.QUICKJS_DIR;
  const stamp = createHash('sha256');
  for (const list of ['immortal', 'fast']) stamp.update(readFileSync(`hack/quickjs-${list}.mjs`));
  if (own) for (const f of FILES) stamp.update(readFileSync(`${own}/${f}.c`)).update(readFileSync(`${own}/${f}.h`));
  else stamp.update(SHA256);
  const made = stamp.digest('hex');
  if (existsSync(`${tree}/.made`) && readFileSync(`${tree}/.made`, 'utf8') === made) return;
  rmSync(`${tree}.tmp`, { recursive: true, force: true });
  if (own) cpSync(own, `${tree}.tmp`, { recursive: true });
  else {
    const tarball = sourceTarball(dir);
    mkdirSync(`${tree}.tmp`);
    execFileSync('tar', ['-C', `${tree}.tmp`, '--strip-components=1', '-xf', tarball]);
  }
  for (const file of ['quickjs.h', 'quickjs.c']) {
    const path = `${tree}.tmp/${file}`;
    writeFileSync(path, withChanges(file, readFileSync(path, 'utf8')));
  }
  writeFileSync(`${tree}.tmp/.made`, made);
  rmSync(tree, { recursive: true, force: true });
  renameSync(`${tree}.tmp`, tree);
}

/** Directories of quickjs.h and the library; undefined with RUNT_WITHOUT_QUICKJS=1, which builds only for Node.js. */
export function quickjs() {
  if (process.env.RUNT_WITHOUT_QUICKJS) return undefined;
  try {
    source();
  } catch (error) {
    console.error(
      'build: QuickJS cannot be fetched; set QUICKJS_DIR to its sources, or RUNT_WITHOUT_QUICKJS=1 to build without dist/runt',
    );
    throw error;
  }
  const flags = [
    '-O3',
    '-fno-pie',
    '-fwrapv',
    '-w',
    '-ffunction-sections',
    '-fdata-sections',
    '-D_GNU_SOURCE',
    ...hardened,
  ];
  const stamp = createHash('sha256')
    .update(flags.join(' '))
    .update(readFileSync(`${tree}/.made`))
    .digest('hex')
    .slice(0, 12);
  const archive = `${dir}/libquickjs-musl-${stamp}.a`;
  if (!existsSync(archive)) {
    const list = FILES.map((f) => {
      const object = `${dir}/${f}.o`;
      execFileSync('musl-gcc', [...flags, `-DCONFIG_VERSION="${VERSION}"`, '-c', `${tree}/${f}.c`, '-o', object]);
      return object;
    });
    rmSync(`${archive}.tmp`, { force: true });
    execFileSync('ar', ['rcs', `${archive}.tmp`, ...list]);
    renameSync(`${archive}.tmp`, archive);
  }
  return { include: tree, archive };
}
