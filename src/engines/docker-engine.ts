/** Docker: a runtime in daemon.json. */
import { isObject } from '../spec/json/is-object.js';
import { parseJson } from '../spec/json/parse-json.js';
import { RuntError } from '../sys/error.js';
import { host } from '../sys/host.js';
import { configError, type Engine } from './engine.js';
import type { HostTree } from './host-tree.js';
import { withMember } from './json-edit.js';

const configPath = '/etc/docker/daemon.json';

const correct = 'correct it: dockerd does not start with it either';

const isBlank = (text: string): boolean => /^[ \t\r\n]*$/.test(text);

type Config = Readonly<Record<string, unknown>>;

export const docker: Engine = {
  name: 'docker',
  title: 'Docker',
  binary: 'dockerd',
  oldest: '20.10',
  units: () => ['docker.service'],
  reloads: true,
  isConfigured: (tree) => tree.exists(configPath),
  plan({ tree, ledger, program }) {
    const base = ledger.base(configPath);
    const found = base === undefined ? '' : host.decodeRaw(base, base.length);
    // dockerd takes an empty file for one without settings.
    const text = isBlank(found) ? '{\n}\n' : found;
    const { runtimes } = configIn(text);
    const own = isObject(runtimes) ? runtimes.runt : undefined;
    if (own !== undefined) {
      if (isObject(own) && own.path === program)
        return { changes: [], notes: [`${configPath} names ${program} already`] };
      throw configError(
        configPath,
        'it has a runtime "runt" that names another program',
        'remove the member "runt" of "runtimes", then run the command again',
      );
    }
    if (runtimes !== undefined && !isObject(runtimes))
      throw configError(configPath, 'its member "runtimes" is not an object', correct);
    const content = host.encode(withMember(text, 'runtimes', 'runt', { path: program }));
    return { changes: [{ path: tree.resolve(configPath), content }], notes: ['cgroups: as dockerd has it'] };
  },
  entries(tree: HostTree) {
    const text = tree.text(configPath);
    if (text === undefined || isBlank(text)) return [];
    const { runtimes } = configIn(text);
    const own = isObject(runtimes) ? runtimes.runt : undefined;
    return isObject(own) && typeof own.path === 'string' ? [{ file: configPath, program: own.path }] : [];
  },
};

/** @throws RuntError ERR_SPEC_JSON, ERR_ENGINE_CONFIG */
function configIn(text: string): Config {
  let config: unknown;
  try {
    config = parseJson(text, configPath);
  } catch (error) {
    if (error instanceof RuntError) error.hint ??= correct;
    throw error;
  }
  if (!isObject(config)) throw configError(configPath, 'it is not an object', correct);
  return config;
}
