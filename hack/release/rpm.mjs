// The RPM package of the static command, by Debian's rpmbuild, for any machine.
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { rpmChangelog } from './changelog.mjs';
import { inDirectory, names, notices, put, run, settle, stage, version } from './files.mjs';

export const rpm = (arch, out) =>
  inDirectory((dir) => {
    const tree = `${dir}/tree`;
    stage(`${tree}/usr`, arch, { zipPages: true });
    put(`${tree}/usr/share/licenses/runt/LICENSE`, readFileSync('LICENSE'));
    put(`${tree}/usr/share/licenses/runt/NOTICE`, notices());
    settle(tree);
    const macros = {
      _topdir: `${dir}/build`,
      _dbpath: `${dir}/db`,
      _rpmdir: `${dir}/out`,
      _buildhost: 'localhost',
      _binary_payload: 'w9.gzdio',
      // Debian's rpm has the directories of Debian.
      _prefix: '/usr',
      use_source_date_epoch_as_buildtime: '1',
      clamp_mtime_to_source_date_epoch: '1',
      runt_version: version,
      runt_tree: tree,
    };
    put(`${dir}/runt.spec`, `${readFileSync('packaging/rpm/runt.spec', 'utf8')}\n${rpmChangelog()}`);
    const defines = Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
    run('rpmbuild', ['-bb', '--quiet', '--target', `${names[arch].rpm}-linux`, ...defines, `${dir}/runt.spec`]);
    const [made] = readdirSync(`${dir}/out`, { recursive: true }).filter((path) => path.endsWith('.rpm'));
    const path = `${out}/runt-${version}-1.${names[arch].rpm}.rpm`;
    cpSync(`${dir}/out/${made}`, path);
    return path;
  });
