/** Network configuration lists of CNI (CNI spec 1.0, section 1). */
import { RuntError } from '../../sys/error.js';
import { exists, readText, tryListDir } from '../../sys/fs.js';
import { host } from '../../sys/host.js';

/** Config of one plugin; all its keys are passed on. */
export interface NetworkPlugin {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly NetworkPlugin[];
}

/** The network `bridge`. Its allocations are in /run, because a reboot removes the containers too. */
const bridge: NetworkList = {
  cniVersion: '1.0.0',
  name: 'runt',
  plugins: [
    {
      type: 'bridge',
      bridge: 'runt0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: '/run/runt-cni',
        ranges: [[{ subnet: '10.90.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    // Lets packets pass where the host drops those that it forwards, as Docker makes it do.
    { type: 'firewall' },
  ],
};

/** Versions whose chained plugins and results have the form of 1.0. */
const knownVersion = /^(0\.[34]\.[0-9]+|1\.[0-9]+\.[0-9]+)$/;

function networkError(message: string, hint?: string): RuntError {
  return new RuntError({ code: 'ERR_NETWORK', message, ...(hint !== undefined && { hint }) });
}

/**
 * The list of `bridge`, or of `cni:NAME` or `cni:FILE`.
 * @throws RuntError ERR_NETWORK, ERR_IO
 */
export function networkList(network: string): NetworkList {
  if (network === 'bridge') return bridge;
  const wanted = network.slice('cni:'.length);
  if (wanted.includes('/')) return parseList(wanted);
  const directory = host.env.NETCONFPATH ?? '/etc/cni/net.d';
  const problems: string[] = [];
  for (const name of (tryListDir(directory) ?? []).sort()) {
    if (!/\.(conflist|conf|json)$/.test(name)) continue;
    try {
      const list = parseList(`${directory}/${name}`);
      if (list.name === wanted) return list;
    } catch (error) {
      // One that is not wanted may be broken.
      if (!(error instanceof RuntError)) throw error;
      problems.push(error.message);
    }
  }
  const unread = problems.length > 0 ? ` (${problems.join('; ')})` : '';
  throw networkError(
    `find the network ${wanted}: no config in ${directory} has that name${unread}`,
    'write a .conflist there, or give its path: cni:/PATH',
  );
}

/** @throws RuntError ERR_NETWORK, ERR_IO */
function parseList(path: string): NetworkList {
  const text = readText(path);
  const refuse = (problem: string): RuntError => networkError(`read the network config ${path}: ${problem}`);
  let config: Record<string, unknown>;
  try {
    config = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch (error) {
    throw refuse(`it is not JSON: ${(error as Error).message}`);
  }
  const { cniVersion, name } = config;
  // A file with one plugin is a list of one.
  const plugins = config.plugins ?? [config];
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][\w.-]*$/.test(name))
    throw refuse('"name" is not the name of a network');
  if (typeof cniVersion !== 'string' || !knownVersion.test(cniVersion)) {
    throw refuse('"cniVersion" is not one of 0.3.0 to 1.x, which runt has');
  }
  if (!Array.isArray(plugins) || plugins.length === 0) throw refuse('"plugins" is not a list of plugins');
  for (const plugin of plugins as Partial<NetworkPlugin>[]) {
    // A type is a file name; more would execute a program elsewhere.
    if (typeof plugin?.type !== 'string' || !/^[\w.-]+$/.test(plugin.type) || /^\.+$/.test(plugin.type)) {
      throw refuse('a plugin has no "type" that is the name of a program');
    }
  }
  return { cniVersion, name, plugins: plugins as NetworkPlugin[] };
}

/** Where distributions, Kubernetes and Fedora put plugins. */
const pluginDirectories = '/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni';

/** The directories of plugins: those of CNI_PATH, or the usual ones. Relative ones do not count. */
export const pluginPath = (): string =>
  (host.env.CNI_PATH || pluginDirectories)
    .split(':')
    .filter((directory) => directory.startsWith('/'))
    .join(':');

/** The absolute path of a plugin. @throws RuntError ERR_NETWORK */
export function pluginProgram(type: string): string {
  const directories = pluginPath();
  for (const directory of directories.split(':')) if (exists(`${directory}/${type}`)) return `${directory}/${type}`;
  throw networkError(
    `find the CNI plugin ${type}: it is not in ${directories}`,
    'install the plugins (Debian: containernetworking-plugins), or name their directory in CNI_PATH',
  );
}
