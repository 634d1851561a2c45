/** The config of an image in config.json (image-spec conversion.md). Pure. */
import { unsafeAnnotations } from '../spec/annotation-names.js';
import type { Mount, Spec } from '../spec/config-types.js';
import { withVariables } from '../spec/variables.js';
import type { ImageConfig } from './image-documents.js';
import { imageError } from './image-error.js';

/** What the caller has in place of the image's. */
export interface Command {
  /** Replaces the image's Cmd. */
  readonly args: readonly string[];
  /** Replaces Entrypoint, and removes Cmd; '' for none. */
  readonly entrypoint?: string;
}

/**
 * Puts the image's settings into a template, before the options of the caller.
 * @returns the volumes that were left out
 * @throws RuntError ERR_IMAGE
 */
export function applyImage(spec: Spec, image: ImageConfig, command: Command): readonly string[] {
  const process = spec.process!;
  process.terminal = false;
  process.args = commandOf(image, command);
  process.env = withVariables(process.env!, variables(image));
  process.cwd = workingDirectory(image);
  spec.annotations = { ...annotationsOf(image), ...labelsOf(image) };
  if (Object.keys(spec.annotations).length === 0) delete spec.annotations;
  const before = spec.mounts!;
  const volumes = volumeMounts(image);
  const lost = volumes.filter(({ destination }) => isTaken(destination, before));
  spec.mounts = [...before, ...volumes.filter((volume) => !lost.includes(volume))];
  return lost.map(({ destination }) => destination);
}

/** File systems in which nothing can be made. */
const kernelTypes: readonly string[] = ['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue', 'devpts'];

/**
 * Whether every container has something else at a path. A volume there would hide the kernel's files, by which runt
 * sets labels and masks (CVE-2023-28642), or could not be mounted.
 */
const isTaken = (path: string, mounts: readonly Mount[]): boolean =>
  mounts.some(
    ({ destination, type = '' }) =>
      plain(destination) === plain(path) ||
      (kernelTypes.includes(type) && plain(path).startsWith(`${plain(destination)}/`)),
  );

/** An absolute path without empty components and "."; two paths of one file are equal, without symlinks. */
const plain = (path: string): string =>
  `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;

function commandOf(image: ImageConfig, { args, entrypoint }: Command): string[] {
  const program = entrypoint === undefined ? image.entrypoint : entrypoint === '' ? [] : [entrypoint];
  const rest = args.length > 0 || entrypoint !== undefined ? args : image.cmd;
  const all = [...program, ...rest];
  if (all.length > 0 && all[0] !== '') return all;
  throw imageError('the image names no command', {
    document: image.document,
    pointer: '/config/Cmd',
    hint: 'name one after DIR',
  });
}

function variables({ env, document }: ImageConfig): readonly string[] {
  // A name alone would take the value of the caller, which is none of the image's business.
  const wrong = env.findIndex((entry) => entry.indexOf('=') < 1);
  if (wrong < 0) return env;
  throw imageError(`${JSON.stringify(env[wrong])} is not NAME=VALUE`, { document, pointer: `/config/Env/${wrong}` });
}

function workingDirectory({ workingDir = '/', document }: ImageConfig): string {
  if (workingDir[0] === '/') return workingDir;
  throw imageError(`the working directory ${JSON.stringify(workingDir)} is not absolute`, {
    document,
    pointer: '/config/WorkingDir',
  });
}

const prefix = 'org.opencontainers.image';

/** image-spec conversion.md#annotation-fields. */
function annotationsOf(image: ImageConfig): Record<string, string> {
  const { platform, osVersion, osFeatures, author, created, stopSignal, exposedPorts } = image;
  const all: Record<string, string | undefined> = {
    os: platform.os,
    architecture: platform.architecture,
    variant: platform.variant,
    'os.version': osVersion,
    'os.features': osFeatures.join(','),
    author,
    created,
    stopSignal,
    exposedPorts: exposedPorts.join(','),
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value ? [[`${prefix}.${name}`, value]] : [])),
  );
}

const isUnsafe = (label: string): boolean =>
  unsafeAnnotations.some(({ name, prefix }) => (prefix ? label.startsWith(name) : label === name));

/** Labels that would change how the container is made: an image must not decide that. */
export const unsafeLabels = ({ labels }: ImageConfig): string[] => Object.keys(labels).filter(isUnsafe);

const labelsOf = ({ labels }: ImageConfig): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([name]) => name !== '' && !isUnsafe(name)));

/** A volume that the caller does not mount: a tmpfs with what the image has there, so that containers share nothing. */
function volumeMounts({ volumes, document }: ImageConfig): Mount[] {
  return [...new Set(volumes)].sort().map((destination) => {
    const parts = destination.split('/');
    if (destination[0] !== '/' || parts.includes('..') || parts.every((part) => part === '' || part === '.')) {
      throw imageError(`the volume ${JSON.stringify(destination)} is not an absolute path below the root`, {
        document,
        pointer: '/config/Volumes',
      });
    }
    return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'tmpcopyup'] };
  });
}

/** Removes volumes of the image that other mounts of the config cover. */
export function removeCovered(spec: Spec, { volumes }: ImageConfig): void {
  const mounts = spec.mounts!;
  spec.mounts = mounts.filter(
    ({ destination, type, options }, i) =>
      !(type === 'tmpfs' && volumes.includes(destination) && options?.includes('tmpcopyup')) ||
      !mounts.some((other, j) => j > i && plain(other.destination) === plain(destination)),
  );
}
