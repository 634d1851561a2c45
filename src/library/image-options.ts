/** Options of `checkpoint` and `restore`. Node.js only. */
import { resolve } from 'node:path';
import type { CriuFlags, DumpFlags, RestoreFlags } from '../container/criu/criu-flag-types.js';
import { callError, checkOptions, type OptionTypes } from './call-checks.js';
import { type ContainerOptions, containerTypes } from './call-options.js';
import { warner } from './option-words.js';

/** Options of both, with the meaning of the command's flags (docs/checkpoint.md). */
interface CriuOptions extends Partial<CriuFlags> {
  /** Directory of the images. */
  imagePath: string;
  /** Directory of criu's log; the images' when absent. */
  workPath?: string;
  /** The program criu: an absolute path, or a name to search in PATH. */
  criu?: string;
}

export interface CheckpointOptions extends CriuOptions, Partial<DumpFlags> {
  /** Same as in ContainerOptions, for annotations that matter to a checkpoint. */
  unsafeAnnotations?: NonNullable<ContainerOptions['unsafeAnnotations']>;
  /** Same as in ContainerOptions. */
  onWarning?: (sentence: string) => void;
}

export interface RestoreOptions extends CriuOptions, Partial<RestoreFlags>, ContainerOptions {
  /** Kills criu when it aborts, and removes what was made; the call rejects with ERR_ABORTED. */
  signal?: AbortSignal;
}

const sharedTypes: OptionTypes = {
  imagePath: 'path',
  workPath: 'path',
  criu: 'string',
  tcpEstablished: 'boolean',
  extUnixSk: 'boolean',
  shellJob: 'boolean',
  fileLocks: 'boolean',
  autoDedup: 'boolean',
  lazyPages: 'boolean',
  manageCgroupsMode: 'mode',
};

const dumpTypes: OptionTypes = {
  ...sharedTypes,
  leaveRunning: 'boolean',
  preDump: 'boolean',
  linkRemap: 'boolean',
  tcpSkipInFlight: 'boolean',
  parentPath: 'string',
  pageServer: 'server',
  unsafeAnnotations: 'policy',
  onWarning: 'function',
};

const restoreTypes: OptionTypes = {
  ...sharedTypes,
  ...containerTypes,
  tcpClose: 'boolean',
  lsmProfile: 'string',
  lsmMountContext: 'string',
  signal: 'abort',
};

const modes = ['soft', 'full', 'strict', 'ignore'];

function isServer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { address, port } = value as { address?: unknown; port?: unknown };
  return typeof address === 'string' && Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535;
}

const ownTypes = {
  mode: { is: (value: unknown) => modes.includes(value as string), meaning: "'soft', 'full', 'strict' or 'ignore'" },
  server: { is: isServer, meaning: 'an object with address, and port from 1 to 65535' },
};

function check<O extends CriuOptions>(call: string, options: O, types: OptionTypes): O {
  const copy = checkOptions(call, options, types, ownTypes);
  if (copy.imagePath === undefined) throw callError(`${call}: option imagePath must be a path`);
  return copy;
}

/** Checks the options of `checkpoint`, and makes paths absolute. @throws RuntError ERR_USAGE */
export function checkpointOptions(given: CheckpointOptions) {
  const options = check('checkpoint', given, dumpTypes);
  const { onWarning, pageServer, parentPath, unsafeAnnotations } = options;
  return {
    ...commonOptions(options),
    leaveRunning: options.leaveRunning === true,
    preDump: options.preDump === true,
    linkRemap: options.linkRemap === true,
    tcpSkipInFlight: options.tcpSkipInFlight === true,
    ...(parentPath !== undefined && { parentPath }),
    ...(pageServer && { pageServer }),
    ...(unsafeAnnotations && { unsafeAnnotations }),
    warn: warner(onWarning),
  };
}

/** Checks the options of `restore`. @returns a copy @throws RuntError ERR_USAGE */
export const checkRestore = (options: RestoreOptions): RestoreOptions => check('restore', options, restoreTypes);

/** The options of `restore` for criu, with absolute paths. */
export function restoreOptions(options: RestoreOptions) {
  const { lsmProfile, lsmMountContext } = options;
  return {
    ...commonOptions(options),
    tcpClose: options.tcpClose === true,
    ...(lsmProfile !== undefined && { lsmProfile }),
    ...(lsmMountContext !== undefined && { lsmMountContext }),
  };
}

function commonOptions(options: CriuOptions) {
  const { imagePath, workPath, criu, manageCgroupsMode } = options;
  return {
    imagePath: resolve(imagePath),
    ...(workPath !== undefined && { workPath: resolve(workPath) }),
    ...(criu !== undefined && { criu }),
    tcpEstablished: options.tcpEstablished === true,
    extUnixSk: options.extUnixSk === true,
    shellJob: options.shellJob === true,
    fileLocks: options.fileLocks === true,
    autoDedup: options.autoDedup === true,
    lazyPages: options.lazyPages === true,
    ...(manageCgroupsMode && { manageCgroupsMode }),
  };
}
