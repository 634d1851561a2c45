// Debian's packages: `runt`, the static command; `runt-serve`, the same under Node.js, for `serve` and the gRPC shim.
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { debianChangelog } from './changelog.mjs';
import { inDirectory, output, put, quickjsLicence, run, settle, stage, stageNpm, version, zip } from './files.mjs';
import { koffi } from './npm.mjs';

const maintainer = 'the runt authors <runt@localhost>';

/** The form of debian/copyright, with the texts of the licences. */
function copyright() {
  const field = (text) =>
    text
      .split('\n')
      .map((line) => (line.trim() === '' ? ' .' : ` ${line}`))
      .join('\n');
  const template = readFileSync('packaging/deb/copyright', 'utf8');
  const text = quickjsLicence();
  const permission = text.slice(text.indexOf('Permission is hereby'));
  return `${template.trimEnd()}\n\nLicense: Expat\n${field(permission)}\n`;
}

/** Adds the documents of a package and its control file to `root`, and packs that. */
function pack(root, out, fields, description) {
  const { Package: name, Architecture: arch } = fields;
  put(`${root}/usr/share/doc/${name}/copyright`, copyright());
  put(`${root}/usr/share/doc/${name}/changelog.gz`, zip(debianChangelog(maintainer)));
  put(`${root}/usr/share/lintian/overrides/${name}`, readFileSync(`packaging/deb/${name}.lintian-overrides`));
  settle(root);
  const [size] = output('du', '-sk', '--apparent-size', root).split('\t');
  const all = {
    ...fields,
    Maintainer: maintainer,
    'Installed-Size': size,
    Section: 'admin',
    Priority: 'optional',
    Description: `${description[0]}\n${description
      .slice(1)
      .map((line) => ` ${line}`)
      .join('\n')}`,
  };
  const control = Object.entries(all).map(([key, value]) => `${key}: ${value}\n`);
  put(`${root}/DEBIAN/control`, control.join(''));
  const files = output('find', root, '-path', `${root}/DEBIAN`, '-prune', '-o', '-type', 'f', '-printf', '%P\\0');
  const sums = files
    .split('\0')
    .filter((path) => path !== '')
    .sort();
  put(`${root}/DEBIAN/md5sums`, run('md5sum', sums, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] }));
  settle(root);
  const path = `${out}/${name}_${version}_${arch}.deb`;
  run('dpkg-deb', ['--root-owner-group', '--threads-max=1', '-Zxz', '--build', root, path]);
  return path;
}

export const debian = (arch, out) =>
  inDirectory((root) => {
    stage(`${root}/usr`, arch, { zipPages: true, zsh: 'zsh/vendor-completions' });
    const fields = {
      Package: 'runt',
      Version: version,
      Architecture: arch,
      Recommends: 'procps, uidmap',
      Suggests: 'criu, runt-serve',
    };
    return pack(root, out, fields, [
      'OCI container runtime',
      'runt creates, starts, watches and deletes Linux containers from bundles, as',
      'the runtime-spec of the Open Container Initiative describes them. Its command',
      'line is that of runc. It needs no other package.',
    ]);
  });

/** The package of the parts that need Node.js, with the native libraries of these architectures. */
export const debianServe = (architectures, out) =>
  inDirectory((root) => {
    const library = `${root}/usr/lib/node_modules/runt-oci`;
    inNpm(library, architectures);
    put(`${root}/usr/bin/runt-serve`, readFileSync('packaging/runt-serve'), 0o755);
    symlinkSync('runt', `${root}/usr/bin/containerd-shim-runt-grpc-v1`);
    const fields = {
      Package: 'runt-serve',
      Version: version,
      Architecture: 'all',
      Depends: `runt (= ${version}), nodejs (>= 20), libc6 (>= ${glibcOf(library)})`,
    };
    return pack(root, out, fields, [
      'OCI container runtime: server of the gRPC API',
      'runt is a runtime for containers. This package holds the parts that run under',
      'Node.js: runt-serve, which serves the task service of containerd over gRPC to',
      'scripts; the server of the shim io.containerd.runt-grpc.v1; and the library',
      'runt-oci.',
    ]);
  });

function inNpm(library, architectures) {
  stageNpm(library, architectures);
  // The package's documents are those of the directory doc.
  run('rm', ['-rf', ...['docs', 'README.md', 'CHANGELOG.md', 'LICENSE'].map((name) => `${library}/${name}`)]);
  koffi(`${library}/node_modules`, architectures);
  // Debian's shared libraries and modules are not executable.
  run('find', [library, '-type', 'f', '-not', '-name', 'cli.js', '-exec', 'chmod', '0644', '{}', '+']);
}

/** The newest version of glibc that the libraries below `dir` need. */
function glibcOf(dir) {
  const paths = readdirSync(dir, { recursive: true }).filter((path) => /\.(so|node)$/.test(path));
  const found = paths.flatMap((path) => [
    ...readFileSync(`${dir}/${path}`, 'latin1').matchAll(/\0GLIBC_2\.(\d+)(?=[.\0])/g),
  ]);
  return `2.${Math.max(...found.map(([, minor]) => Number(minor)))}`;
}
