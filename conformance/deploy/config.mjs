// A config.json for the installer's container of a DaemonSet: config.mjs INSTALLER.yaml TREE [ARGUMENT…]. It has the
// DaemonSet's user, capabilities, read-only root and command, but --restart, and TREE at /host, with the option $HOST.
import { readFileSync } from 'node:fs';

const [path, tree, ...more] = process.argv.slice(2);
const text = readFileSync(path, 'utf8');
const container = text.slice(text.indexOf('initContainers:'), text.indexOf('\n      containers:'));
const list = (name) => JSON.parse(new RegExp(`^ *${name}: (\\[.*\\])$`, 'm').exec(container)[1]);
if (list('drop').join() !== 'ALL') throw new Error('the container keeps capabilities');
if (!/readOnlyRootFilesystem: true/.test(container)) throw new Error('its root can be written');
const capabilities = list('add').map((name) => `CAP_${name}`);
const sets = ['bounding', 'effective', 'permitted'].map((set) => [set, capabilities]);
const config = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs', readonly: true },
  process: {
    cwd: '/',
    user: { uid: 0, gid: 0 },
    // systemd does not run in the tree.
    args: [...list('command').filter((word) => word !== '--restart'), ...more],
    env: ['PATH=/usr/bin:/bin'],
    capabilities: Object.fromEntries(sets),
    noNewPrivileges: /allowPrivilegeEscalation: false/.test(container),
  },
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/host', type: 'bind', source: tree, options: ['rbind', process.env.HOST ?? 'rw'] },
  ],
  linux: { namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })) },
};
console.log(JSON.stringify(config));
