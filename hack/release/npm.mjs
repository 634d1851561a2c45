// The npm package runt-oci, with the native library of each architecture.
import { inDirectory, run, stageNpm, version } from './files.mjs';

export const npm = (architectures, out) =>
  inDirectory((dir) => {
    stageNpm(dir, architectures);
    run('chmod', ['-R', 'u=rwX,go=rX', dir]);
    run('npm', ['pack', dir, '--silent', '--ignore-scripts', '--pack-destination', out]);
    return `${out}/runt-oci-${version}.tgz`;
  });
