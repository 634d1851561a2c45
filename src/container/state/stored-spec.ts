/** The config that a container was created from. */
import { type LoadedSpec, loadSpec } from '../../spec/load-config.js';
import { RuntError } from '../../sys/error.js';
import { configPath } from './config-path.js';
import { type ContainerRecord, configFile } from './state-store.js';

/**
 * Loads it. One that the create stored had to pass all rules then: only its types are checked again.
 * @throws RuntError those of loadSpec
 */
export function loadStoredSpec(root: string, record: ContainerRecord): LoadedSpec {
  try {
    return loadSpec(`${root}/${record.id}/${configFile}`, () => {});
  } catch (error) {
    if (!(error instanceof RuntError && error.code === 'ERR_SPEC_MISSING')) throw error;
  }
  // An older runt stored none.
  return loadSpec(configPath(record));
}
