// The commands that hack/newcomer types: newcomer.mjs ROOT, the root file system of a fresh Debian.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { here, version } from './files.mjs';

const [root] = process.argv.slice(2);
process.chdir(fileURLToPath(new URL('../..', import.meta.url)));
const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

// The parser of pages and the shell of the tests of the docs.
const bundle = 'build/newcomer/docs.mjs';
await esbuild.build({
  stdin: {
    contents:
      "export * from './test/integration/docs/page.js'; export { Shell } from './test/integration/docs/shell.js';",
    resolveDir: '.',
  },
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
});
const { omission, shows, Shell, steps } = await import(pathToFileURL(bundle).href);

/** Limit in ms of a command; some install hundreds of packages. */
const LIMIT = 900_000;
let typed = 0;
let compared = 0;

/** Types a command; it must succeed, and print what is expected, if anything is. */
async function type(shell, where, command, expected, fails = false) {
  const { lines, status } = await shell.type(command, LIMIT);
  typed++;
  if (expected) compared++;
  if ((status === 0 || fails) && (!expected || shows(expected, lines))) {
    console.log(`ok   ${where}: ${command.split('\n')[0]}`);
    return;
  }
  const shown = expected ? `\nexpected:\n${expected.join('\n')}` : '';
  throw new Error(`${where}: ${command}\nexit ${status}, printed:\n${lines.slice(-40).join('\n')}${shown}`);
}

/** Calls `use` with a shell in a fresh Debian, in /root/release with the files of the release. */
async function onDebian(use) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'runt-newcomer-')));
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LC_ALL: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    npm_config_fund: 'false',
    npm_config_audit: 'false',
    npm_config_update_notifier: 'false',
  };
  // A machine behind a proxy of its own has more authorities.
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  if (authorities) Object.assign(env, { NODE_EXTRA_CA_CERTS: '/etc/extra.pem', npm_config_cafile: '/etc/extra.pem' });
  const shell = new Shell('unshare', ['--mount', '--ipc', '--uts', '--propagation', 'private', 'bash'], env);
  const at = `${dir}/debian`;
  const quiet = async (command) => {
    const { lines, status } = await shell.type(command, LIMIT);
    if (status !== 0) throw new Error(`${command}: ${lines.join('\n')}`);
  };
  try {
    await quiet(`mount -t tmpfs -o mode=755 tmpfs ${dir} && mkdir ${at} ${dir}/upper ${dir}/work`);
    await quiet(`mount -t overlay -o lowerdir=${root},upperdir=${dir}/upper,workdir=${dir}/work overlay ${at}`);
    for (const name of ['proc', 'sys', 'dev']) await quiet(`mount --rbind /${name} ${at}/${name}`);
    for (const name of ['tmp', 'run']) await quiet(`mount -t tmpfs -o mode=1777 tmpfs ${at}/${name}`);
    await quiet(`chmod 755 ${at}/run; cp /etc/resolv.conf ${at}/etc/resolv.conf; cp -r dist/release ${at}/root`);
    if (authorities) await quiet(`cp ${authorities} ${at}/etc/extra.pem`);
    await quiet(`mkdir ${at}/old && cd ${at} && pivot_root . old && umount -l old && rmdir old && cd /root/release`);
    await quiet('mount --make-rshared / && hostname newcomer && apt-get -q update');
    await use(shell);
    const { lines } = await shell.type('runt list --quiet');
    if (lines.length > 0) throw new Error(`containers are left: ${lines.join(' ')}`);
  } finally {
    await shell
      .type('for id in $(runt list --quiet); do runt delete --force $id; done; kill $(jobs -p) 2>/dev/null')
      .catch(() => {});
    await shell.end();
    rmSync(dir, { recursive: true });
  }
}

const install = (name) => `apt-get install -y ./${name} >/dev/null`;
const deb = `runt_${version}_${here}.deb`;

/** Types a page's blocks `sh`; also those that it leaves to this script, for which Node.js is installed first. */
async function page(shell, path) {
  const ours = (block) => block.note?.includes('hack/newcomer') === true;
  const runs = (block) => block.language !== 'setup' && (ours(block) || !omission(block, () => false, false));
  const text = readFileSync(path, 'utf8');
  let hasNode = false;
  for (const { command, output, line, fails } of steps(text, runs)) {
    if (/^(npm|npx|node) /.test(command) && !hasNode) {
      await type(shell, path, 'apt-get install -y --no-install-recommends nodejs npm >/dev/null');
      hasNode = true;
    }
    await type(shell, `${path}:${line}`, command.replaceAll('_amd64.deb', `_${here}.deb`), output, fails);
  }
}

/** The first example of the library, with the types as published. */
async function library(shell) {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync('docs/library.md', 'utf8'))[1];
  const where = 'docs/library.md';
  const peers = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`).join(' ');
  await type(shell, where, 'mkdir /root/app && cd /root/app && echo \'{"type": "module"}\' >package.json');
  await type(shell, where, `npm install /root/release/runt-oci-${version}.tgz ${peers} >/dev/null`);
  await type(shell, where, `cat >first.ts <<'END'\n${code}END`);
  const flags = '--strict --target es2022 --module nodenext --types node';
  await type(shell, where, `npx tsc ${flags} first.ts`, []);
  await type(shell, where, 'mkdir /srv/hello && cp -r /root/release/web/rootfs /srv/hello');
  await type(shell, where, 'node first.js', ['hello world', ' 0']);
}

/** gRPC, by the command of the Debian package. */
async function serve(shell) {
  await type(shell, 'serve', 'runt serve --listen unix:///run/runt.sock >/run/serve.log 2>&1 & sleep 0');
  await type(
    shell,
    'serve',
    'until [ -S /run/runt.sock ]; do kill -0 $! || break; sleep 0.1; done; cat /run/serve.log',
    ['runt: the task service is ready at unix:///run/runt.sock, for the containers below /run/runt'],
  );
  await type(shell, 'serve', 'kill %1 && wait');
}

for (const file of [deb, `runt-oci-${version}.tgz`]) {
  if (!existsSync(`dist/release/${file}`)) throw new Error(`newcomer: dist/release/${file} is not there: make release`);
}
mkdirSync('build/newcomer', { recursive: true });
await onDebian(async (shell) => {
  await page(shell, 'README.md');
  await library(shell);
  await serve(shell);
});
await onDebian(async (shell) => {
  await type(shell, 'docs/getting-started.md', install(deb));
  await page(shell, 'docs/getting-started.md');
});
console.log(`newcomer: ${typed} commands work, ${compared} print what the pages show`);
