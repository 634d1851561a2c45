/** What `runt install` and `runt doctor` know of an engine. */
import { RuntError } from '../sys/error.js';
import type { HostTree } from './host-tree.js';
import type { Change, Ledger } from './ledger.js';

export const engineNames = ['containerd', 'crio', 'docker', 'podman'] as const;
export type EngineName = (typeof engineNames)[number];

/** What an installation starts from. */
export interface EngineHost {
  readonly tree: HostTree;
  readonly ledger: Ledger;
  /** Path of runt, as the engine sees it; the shims are beside it. */
  readonly program: string;
  /** Version of the engine's program, `2.1.9`; undefined if it was not run. */
  readonly version?: string;
  /** Whether systemd makes the cgroups of the host's containers, unless the config says otherwise. */
  readonly systemdCgroup: boolean;
  /** Whether the user named the engine: it is not only there. */
  readonly isNamed: boolean;
  /** For an ordinary user: its home directory. */
  readonly home?: string;
}

export interface EnginePlan {
  readonly changes: readonly Change[];
  /** Sentences for the user about what was found. */
  readonly notes: readonly string[];
}

/** What an engine's config says of runt. */
export interface EngineEntry {
  /** The file that names runt. */
  readonly file: string;
  /** The program that it names: runt or its shim. */
  readonly program: string;
}

export interface Engine {
  readonly name: EngineName;
  /** The name that people know it by. */
  readonly title: string;
  /** Its program. */
  readonly binary: string;
  /** The oldest version that runs runt. */
  readonly oldest: string;
  /** Units of systemd that read the config, of which a host has one; none if nothing has to be restarted. */
  units(tree: HostTree): readonly string[];
  /** Whether `systemctl reload` makes it read the config. */
  readonly reloads: boolean;
  /** Whether the host has a config of it. */
  isConfigured(tree: HostTree): boolean;
  /** The files to write. @throws RuntError ERR_ENGINE_CONFIG for a config that it does not understand */
  plan(host: EngineHost): EnginePlan;
  /** The entries about runt. @throws RuntError ERR_ENGINE_CONFIG */
  entries(tree: HostTree, home?: string): EngineEntry[];
}

/** The first line of all that runt writes. */
export const mark = '# Written by "runt install"; "runt install --undo" removes it.';

export const shimOf = (program: string): string =>
  `${program.slice(0, program.lastIndexOf('/'))}/containerd-shim-runt-v1`;

/** A basic string of TOML (https://toml.io/en/v1.0.0#string), whose escapes include those of JSON. */
export const quoted = (text: string): string => JSON.stringify(text).replaceAll('\x7f', '\\u007f');

/** @param problem a clause that follows the path @param hint begins with a verb */
export const configError = (path: string, problem: string, hint: string): RuntError =>
  new RuntError({ code: 'ERR_ENGINE_CONFIG', message: `${path}: ${problem}`, path, hint });

/** Whether version `a` is older than `b`. Both are numbers with dots. */
export function isOlder(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (const [i, number] of right.entries()) if ((left[i] ?? 0) !== number) return (left[i] ?? 0) < number;
  return false;
}
