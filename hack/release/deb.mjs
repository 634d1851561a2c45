// The Debian package: the static command, which needs no other package.
import { readFileSync } from 'node:fs';
import { debianChangelog } from './changelog.mjs';
import { inDirectory, output, put, quickjsLicence, run, settle, stage, version, zip } from './files.mjs';

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
      Suggests: 'criu',
      // It had the server of the gRPC shim, under Node.js, until 0.2.0.
      Breaks: 'runt-serve',
      Replaces: 'runt-serve',
    };
    return pack(root, out, fields, [
      'OCI container runtime',
      'runt creates, starts, watches and deletes Linux containers from bundles, as',
      'the runtime-spec of the Open Container Initiative describes them. Its command',
      'line is that of runc. It needs no other package.',
    ]);
  });
