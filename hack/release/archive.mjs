// The archives of the static command: for any distribution (tar -C /usr/local -xzf …), and of the shim alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { inDirectory, notices, programs, put, stage, tar, version, zip } from './files.mjs';

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

/** The shim alone, for installers that take each file of an archive for a shim. */
export const shimArchive = (arch, out) =>
  inDirectory((dir) => {
    put(`${dir}/containerd-shim-runt-v1`, readFileSync(`${programs(arch)}/runt`), 0o755);
    const path = `${out}/runt-shim-${version}-linux-${arch}.tar.gz`;
    writeFileSync(path, zip(tar(dir, 'containerd-shim-runt-v1')));
    return path;
  });
