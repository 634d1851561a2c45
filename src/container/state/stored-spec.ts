/** The config that a container was created from. */
import { type LoadedSpec, loadSpec } from '../../spec/load-config.js';
import { configPath } from './config-path.js';
import type { ContainerRecord } from './state-store.js';
import { storedConfigPath } from './stored-files.js';

/**
 * Loads it. One that the create stored had to pass all rules then: only its types are checked again.
 * @throws RuntError those of loadSpec
 */
export function loadStoredSpec(root: string, record: ContainerRecord): LoadedSpec {
  const path = storedConfigPath(root, record);
  return path === configPath(record) ? loadSpec(path) : loadSpec(path, () => {});
}
