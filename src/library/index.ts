/** The library for Node.js (docs/library.md): promises that never block the event loop, the command's `RuntError`s. */

import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { hasOnlyV2 } from '../cgroup/cgroup-facts.js';
import { bundleSpec } from '../container/bundle/write-bundle.js';
import { compilePlan } from '../container/launch/compile-bundle.js';
import type { RootlessMode } from '../container/launch/read-host-facts.js';
import { list } from '../container/list.js';
import { defaultRoot } from '../container/state/default-root.js';
import { closeRoots, onStateWarning } from '../container/state/state-directory.js';
import { loadRecord } from '../container/state/state-store.js';
import { type ContainerState, state } from '../container/state.js';
import type { AnnotationPolicy } from '../plan/annotation-policy.js';
import { explainText } from '../plan/explain/explain-plan.js';
import { features as featuresOf } from '../plan/features-document.js';
import { asViolation, refusedEverywhere } from '../plan/ideal-hosts.js';
import type { Op, PlanOf } from '../plan/plan-ops.js';
import type { Features, Spec } from '../spec/config-types.js';
import { isObject } from '../spec/json/is-object.js';
import { judgeFile, judgeSpec, validSpec } from '../spec/load-config.js';
import type { SpecOptions } from '../spec/options/option-types.js';
import { callerIds } from '../sys/caller-ids.js';
import { E } from '../sys/errno.js';
import { RuntError, setWords, type Violation } from '../sys/error.js';
import { useNodeHost } from '../sys/node-host.js';
import { reportOf } from '../sys/report/error-report.js';
import { type BundleImageOptions, bundleImage as makeOfImage } from './bundle-image.js';
import { callError, checkObject, checkOptions, checkPath, checkText, jsonOf, type OptionTypes } from './call-checks.js';
import type { CreateOptions, Piped, PipedRun, RunOptions } from './call-options.js';
import { Container } from './container.js';
import { warnOfState } from './core-thread.js';
import type { RestoreOptions } from './image-options.js';
import { withOptions } from './option-words.js';
import type { Run } from './process-run.js';

export type * from '../cgroup/stats/stats-types.js';
export type { ExitRecord } from '../container/state/exit-records.js';
export type { Status } from '../container/state/state-store.js';
export type { ContainerState } from '../container/state.js';
export type { ContainerEvent, OomEvent, StatsEvent } from '../container/stats-stream.js';
export type { AnnotationPolicy } from '../plan/annotation-policy.js';
export type { Op } from '../plan/plan-ops.js';
export type * from '../spec/config-types.js';
export type { SpecOptions } from '../spec/options/option-types.js';
export { RuntError, type Violation } from '../sys/error.js';
export type { BundleImageOptions } from './bundle-image.js';
export type {
  ContainerOptions,
  CreateOptions,
  DeleteOptions,
  ExecOptions,
  KillOptions,
  Piped,
  PipedRun,
  RunOptions,
  StdioOptions,
  StopOptions,
  WaitOptions,
  WarningOptions,
} from './call-options.js';
export { type Attachment, Container, type EventsOptions } from './container.js';
export type { CheckpointOptions, RestoreOptions } from './image-options.js';
export type { LogLine, LogOptions } from './output-logs.js';
export { type EndOptions, type Output, Run } from './process-run.js';
export type { StdioFile, StdioOption } from './process-streams.js';
export type { TerminalStream } from './terminal-stream.js';
export type {
  CommandCondition,
  Condition,
  FileCondition,
  OutputCondition,
  PortCondition,
  StatusCondition,
  WaitForOptions,
} from './wait-for.js';

useNodeHost();
if (!isMainThread) process.once('exit', closeRoots);
setWords(withOptions);
Object.defineProperties(RuntError.prototype, {
  report: {
    value(this: RuntError) {
      return reportOf(this);
    },
  },
  // JSON.stringify leaves out the message of an error, which is not enumerable.
  toJSON: {
    value(this: RuntError) {
      const { cause, value, ...facts } = this as RuntError & { cause?: unknown };
      return {
        ...facts,
        message: this.message,
        // JSON has no such integers.
        ...(value !== undefined && { value: typeof value === 'bigint' ? String(value) : value }),
        ...(cause !== undefined && { cause: cause instanceof Error ? cause.message : cause }),
      };
    },
  },
});

export interface RuntimeOptions {
  /** Directory of all containers' state; `/run/runt`, or `$XDG_RUNTIME_DIR/runt` for an ordinary user, when absent. */
  root?: string;
  /** Whether to act as for an ordinary user; detected when absent. */
  rootless?: boolean;
}

const runtimeTypes: OptionTypes = { root: 'path', rootless: 'boolean' };

const rootlessMode = (expected: boolean | undefined): RootlessMode =>
  expected === undefined ? 'auto' : expected ? 'true' : 'false';

/** The containers below one root directory. */
export class Runtime {
  readonly root: string;
  readonly #rootless: RootlessMode;

  /** @throws RuntError ERR_USAGE for an ordinary user without XDG_RUNTIME_DIR and without `root` */
  constructor(options: RuntimeOptions = {}) {
    const { root, rootless } = checkOptions('new Runtime', options, runtimeTypes);
    this.root = resolve(root ?? rootOrDefault());
    onStateWarning(warnOfState);
    this.#rootless = rootlessMode(rootless);
  }

  /** A handle for a container, which need not exist. */
  container(id: string): Container {
    checkText('container', 'id', id);
    return new Container(this.root, id, this.#rootless);
  }

  /**
   * Creates a container whose process waits for `start` (runtime.md#create). Its supervisor records the exit status for
   * `wait`, even if this process ends first.
   * @throws RuntError after the undo
   */
  async create(id: string, bundle: string, options: CreateOptions = {}): Promise<Container> {
    checkText('create', 'id', id);
    const container = this.container(id);
    await container.create(bundle, options);
    return container;
  }

  /**
   * Makes a container of image files that `checkpoint` wrote, and continues its processes (docs/checkpoint.md). The
   * stdio of the caller is inherited unless `stdio` says otherwise.
   * @throws RuntError ERR_CRIU_MISSING, ERR_CRIU*, ERR_SPEC_*, ERR_ABORTED … after the undo
   */
  async restore(id: string, bundle: string, options: RestoreOptions): Promise<Container> {
    checkText('restore', 'id', id);
    const container = this.container(id);
    await container.restore(bundle, options);
    return container;
  }

  /**
   * Creates and starts a container. The result has its streams, and `exit`, which resolves when the container has ended
   * and been deleted (unless `keep`).
   * @throws RuntError after the undo
   */
  run(id: string, bundle: string, options?: Piped<RunOptions>): Promise<PipedRun>;
  run(id: string, bundle: string, options: RunOptions): Promise<Run>;
  async run(id: string, bundle: string, options: RunOptions = {}): Promise<Run> {
    checkText('run', 'id', id);
    return this.container(id).run(bundle, options);
  }

  /** @throws RuntError ERR_NO_CONTAINER … */
  async state(id: string): Promise<ContainerState> {
    checkText('state', 'id', id);
    return state({ root: this.root, id });
  }

  /** Handles of all containers, by id. */
  async containers(): Promise<Container[]> {
    return (await this.list()).map(({ id }) => this.container(id));
  }

  /** The states of all containers, by id. */
  async list(): Promise<ContainerState[]> {
    return list({ root: this.root });
  }
}

/**
 * A handle for an existing container.
 * @param source the absolute path of its state directory (`<root>/<id>`), or its state document, as hooks read it from
 *   standard input
 * @param options for a document: the `root` of the runtime that it comes from
 * @throws RuntError ERR_NO_CONTAINER, also if another container has the id of a document by now; ERR_STATE_CORRUPT
 */
export function fromState(source: string | StateDocument, options: RuntimeOptions = {}): Container {
  const o = checkOptions('fromState', options, runtimeTypes);
  if (typeof source === 'string') {
    checkPath('fromState', 'source', source);
    const path = resolve(source);
    const found = new Runtime({ ...o, root: dirname(path) }).container(basename(path));
    loadRecord(found.root, found.id);
    return found;
  }
  if (!isObject(source)) throw callError('fromState: source must be a path or a state document');
  checkText('fromState', 'id of the state', source.id);
  const found = new Runtime(o).container(source.id);
  const { created, pid } = loadRecord(found.root, found.id);
  // The document of a hook has no time.
  if (source.created === undefined ? !source.pid || source.pid === pid : source.created === created) return found;
  throw new RuntError({
    code: 'ERR_NO_CONTAINER',
    message: `fromState: the container ${source.id} of this state does not exist: another one has its id`,
    path: join(found.root, found.id),
  });
}

/** A state document (runtime.md#state): of `state()`, of `runt state`, or of a hook's standard input. */
export type StateDocument = Pick<ContainerState, 'id'> & Partial<ContainerState>;

function rootOrDefault(): string {
  const root = defaultRoot();
  if (root !== undefined) return root;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: 'find a directory for the state of containers: neither root nor XDG_RUNTIME_DIR is set',
    hint: 'give the option root, or set XDG_RUNTIME_DIR',
  });
}

/** Result of `validate`. */
export interface Validity {
  readonly valid: boolean;
  /** Violations of the spec; empty when valid. */
  readonly violations: readonly Violation[];
  /** Whether there are more violations than the first 100, which are listed. */
  readonly more?: boolean;
  /** Values that the spec advises against. */
  readonly warnings: readonly Violation[];
}

/**
 * Checks a config object or a bundle's path.
 * @throws RuntError ERR_SPEC_MISSING, ERR_SPEC_JSON … if it is unreadable
 */
export async function validate(config: Spec | string): Promise<Validity> {
  if (typeof config === 'string') checkPath('validate', 'config', config);
  else checkObject('validate', 'config', config);
  try {
    const path = typeof config === 'string' ? join(resolve(config), 'config.json') : 'config.json';
    const judged = typeof config === 'string' ? judgeFile(path) : judgeObject(config);
    const { violations, more, warnings } = judged.findings;
    if (violations.length > 0) return { valid: false, violations, ...(more && { more }), warnings };
    const refused = refusedEverywhere(validSpec(judged, path).spec);
    return { valid: !refused, violations: refused ? [asViolation(refused)] : [], warnings };
  } catch (error) {
    if (!(error instanceof RuntError) || !error.violations) throw error;
    return { valid: false, violations: error.violations, warnings: [] };
  }
}

function judgeObject(config: Spec) {
  const bytes = Buffer.from(jsonOf('validate', 'config', config));
  return judgeSpec(bytes, bytes.length, 'config.json');
}

export interface CompileOptions extends RuntimeOptions {
  /** The container's id, which its cgroup is named after; the bundle's name when absent. */
  id?: string;
  /** Same as in ContainerOptions. Without root, this asks the user's session manager for its cgroup. */
  systemdCgroup?: boolean;
  /** Same as in ContainerOptions. */
  unsafeAnnotations?: AnnotationPolicy;
  /** Same as in ContainerOptions. */
  hookTimeout?: number;
}

/** The ordered list of all operations for one container. */
export type Plan = PlanOf<readonly Op[]>;

const compileTypes: OptionTypes = {
  ...runtimeTypes,
  id: 'string',
  systemdCgroup: 'boolean',
  unsafeAnnotations: 'policy',
  hookTimeout: 'seconds',
};

/**
 * The plan of a bundle: all that `create` would do, in order. Needs no root and has no side effects.
 * @throws RuntError ERR_SPEC_*, ERR_UNSUPPORTED, ERR_CGROUP_*
 */
export async function compile(bundle: string, options: CompileOptions = {}): Promise<Plan> {
  checkPath('compile', 'bundle', bundle);
  const o = checkOptions('compile', options, compileTypes);
  const path = resolve(bundle);
  const plan = await compilePlan({
    root: o.root ?? '/run/runt',
    id: o.id ?? idOf(path),
    bundle: path,
    rootless: rootlessMode(o.rootless),
    ...(o.systemdCgroup && { cgroupManager: 'systemd' as const }),
    ...(o.unsafeAnnotations && { unsafeAnnotations: o.unsafeAnnotations }),
    ...(o.hookTimeout !== undefined && { hookTimeout: o.hookTimeout }),
    warn: () => {},
  });
  return { ...plan, ops: [...plan.ops] };
}

/** The plan of a bundle as text, as `runt explain` prints it. @throws as `compile` */
export async function explain(bundle: string, options: CompileOptions & { colour?: boolean } = {}): Promise<string> {
  checkPath('explain', 'bundle', bundle);
  const { colour, ...o } = checkOptions('explain', options, { ...compileTypes, colour: 'boolean' });
  const id = o.id ?? idOf(resolve(bundle));
  return explainText(await compile(bundle, { ...o, id }), { colour: colour === true, id });
}

/** The id of a bundle's container that has none. */
const idOf = (path: string): string => basename(path) || 'container';

/** The features of this runtime (runtime-spec features.md), as `runt features` prints them. */
export function features(): Features {
  return featuresOf();
}

/** Changes a spec before it is written. */
export type SpecChange = (spec: Spec) => void | Promise<void>;

/**
 * Writes a bundle's config.json as `runt spec` does, after `change` has edited it. Without `tty` there is no terminal.
 * Makes a missing directory, and replaces an existing config.json. For an ordinary user `rootless` defaults to true.
 * Paths are relative to the current directory.
 * @returns the spec that was written
 * @throws RuntError ERR_USAGE for an unknown option or a bad value, ERR_SPEC_INVALID, ERR_IO
 */
export async function bundle(
  directory: string,
  options: SpecOptions | SpecChange = {},
  change: SpecChange = () => {},
): Promise<Spec> {
  checkPath('bundle', 'directory', directory);
  if (typeof options === 'function') return bundle(directory, {}, options);
  checkObject('bundle', 'options', options);
  if (typeof change !== 'function') throw callError('bundle: change must be a function');
  const path = resolve(directory);
  const ids = callerIds();
  const requested = { rootless: ids.uid !== 0, ...options, tty: options.tty === true };
  const spec = await bundleSpec(requested, {
    ...ids,
    cgroupV2: hasOnlyV2(),
    bundle: path,
    absolute: (p) => resolve(p),
    name: (o) => `option ${o}`,
  });
  await change(spec);
  const text = jsonOf('bundle', 'config', spec, '  ');
  const file = join(path, 'config.json');
  try {
    await mkdir(path, { recursive: true });
    await writeFile(file, `${text}\n`);
  } catch (error) {
    const { errno = E.EIO, syscall } = error as NodeJS.ErrnoException;
    const facts = { code: 'ERR_IO', message: `bundle: write ${file}`, path: file, errno: Math.abs(errno) };
    throw new RuntError({ ...facts, ...(syscall !== undefined && { syscall }) });
  }
  return spec;
}

/**
 * Makes a bundle of an image on disk as `runt bundle` does: a directory in the OCI layout, an archive of one, or of
 * `docker save`. The directory must not exist, or be empty. Options are those of `bundle()`, but for `rootfs`, and the
 * image's. `args` replaces the image's command. The bundle is whole, or it is not there.
 * @throws RuntError ERR_USAGE, ERR_IMAGE, ERR_IMAGE_*, ERR_BUNDLE_EXISTS, ERR_BUNDLE_BUSY, ERR_SPEC_*, ERR_ABORTED
 */
export async function bundleImage(image: string, directory: string, options: BundleImageOptions = {}): Promise<void> {
  await makeOfImage(image, directory, options);
}
