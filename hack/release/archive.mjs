// The archive of the static command, for any distribution: tar -C /usr/local -xzf …
import { readFileSync, writeFileSync } from 'node:fs';
import { inDirectory, notices, put, stage, tar, version, zip } from './files.mjs';

export const archive = (arch, out) =>
  inDirectory((dir) => {
    stage(dir, arch);
    put(`${dir}/share/doc/runt/LICENSE`, readFileSync('LICENSE'));
    put(`${dir}/share/doc/runt/NOTICE`, notices());
    put(`${dir}/share/doc/runt/install.md`, readFileSync('docs/install.md'));
    const path = `${out}/runt-${version}-linux-${arch}.tar.gz`;
    writeFileSync(path, zip(tar(dir, 'bin', 'share')));
    return path;
  });
