/** A host with a bundle, cgroup v2 and a scripted runt-init, for tests of commands that make containers. */

import { compileBundle } from '../../../src/container/launch/compile-bundle.js';
import type { CreateOptions } from '../../../src/container/launch/container-options.js';
import type { OpName } from '../../../src/plan/plan-ops.js';
import type { Spec } from '../../../src/spec/config-types.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { eachFailure } from '../../sys/fake-host/each-failure.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { created, type Script, type ScriptedInit, scriptInit } from '../../sys/fake-host/scripted-init.js';
import { catchSignals } from '../../sys/fake-host/signals.js';

/** The files of each new cgroup, as the kernel makes them with all controllers enabled. */
const cgroupFiles = {
  'cgroup.subtree_control': '',
  'cgroup.type': 'domain\n',
  'memory.max': 'max\n',
  'pids.max': 'max\n',
};

/** A minimal config. */
export const config = (over: Partial<Spec> = {}): Spec => ({
  ociVersion: '1.2.0',
  process: { user: { uid: 0, gid: 0 }, args: ['sh'], cwd: '/' },
  root: { path: 'rootfs' },
  linux: {
    cgroupsPath: '/web',
    namespaces: [{ type: 'pid' }, { type: 'mount' }],
    resources: { pids: { limit: 100 } },
  },
  ...over,
});

export class BundleHost {
  readonly kernel: FakeKernel;
  readonly warnings: string[] = [];
  /** Every runt-init that was started. */
  readonly inits: ScriptedInit[];
  /** Sends a signal to the command. */
  readonly signal: (signal: number, from?: number) => void;
  /** The descriptors that were open before the command. */
  private readonly open: ReadonlySet<number>;

  constructor(
    spec: Spec = config(),
    script: Script = created,
    options: ConstructorParameters<typeof FakeKernel>[0] = {},
  ) {
    const kernel = new FakeKernel(options);
    this.kernel = kernel;
    kernel.tree.file('/b/config.json', JSON.stringify(spec));
    kernel.tree.directory('/b/rootfs');
    const controllers = 'cpuset cpu io memory pids\n';
    const top = mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '', files: cgroupFiles });
    top.entries?.delete('cgroup.type');
    kernel.tree.file('/sys/fs/cgroup/cgroup.controllers', controllers);
    this.signal = catchSignals(kernel);
    this.inits = scriptInit(kernel, script);
    this.open = new Set(kernel.descriptors.all.keys());
  }

  options(over: Partial<CreateOptions> = {}): CreateOptions {
    const warn = (sentence: string): void => void this.warnings.push(sentence);
    return { root: this.kernel.root, id: 'web', bundle: '/b', warn, ...over };
  }

  /** The index of the first operation with that name in the plan of a create, or of a `run`. */
  indexOf(name: OpName, command: 'create' | 'run' = 'create'): number {
    const { plan } = compileBundle(this.options(), command === 'create', undefined, command === 'run');
    return [...plan.ops].findIndex(({ op }) => op === name);
  }

  /** The first runt-init. */
  get init(): ScriptedInit {
    const [first] = this.inits;
    if (!first) throw new Error('no runt-init was started');
    return first;
  }

  /** Descriptions of what the command left; a failed command must leave nothing. */
  get left(): string[] {
    const { kernel } = this;
    const open = [...kernel.descriptors.all].filter(([fd, { shown }]) => !this.open.has(fd) && shown !== kernel.root);
    return [
      ...open.map(([, { shown }]) => `open: ${shown}`),
      ...kernel.processes.list.filter((p) => p.parent !== 1).map((p) => `${p.end ? 'zombie' : 'process'}: ${p.name}`),
      ...(kernel.tree.list('/sys/fs/cgroup') ?? [])
        .filter((name) => kernel.tree.at(`/sys/fs/cgroup/${name}`)?.entries)
        .map((name) => `cgroup: ${name}`),
      ...(kernel.tree.list(kernel.root) ?? []).filter((name) => name[0] !== '.').map((name) => `state: ${name}`),
    ];
  }

  /** Runs work to its end. @returns its RuntError; undefined if it succeeds */
  async failure(work: () => Promise<unknown>): Promise<RuntError | undefined> {
    return this.kernel.finish(
      work().then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof RuntError) return error;
          throw error;
        },
      ),
    );
  }
}

/**
 * Runs a command once for each of its calls, which then fails with EIO. @returns each call with the resulting error and
 * what that left
 */
export async function failuresOf(
  make: () => BundleHost | Promise<BundleHost>,
  act: (host: BundleHost) => Promise<unknown>,
): Promise<{ call: string; error: string; message: string; left: readonly string[] }[]> {
  const hosts = new Map<FakeKernel, BundleHost>();
  const outcomes = await eachFailure(
    async () => {
      const host = await make();
      hosts.set(host.kernel, host);
      return host.kernel;
    },
    (kernel) => act(hosts.get(kernel)!),
    E.EIO,
  );
  return outcomes.map(({ kernel, call, error }) => {
    if (error !== undefined && !(error instanceof RuntError)) throw error;
    return {
      call: call.replaceAll(kernel.root, '~'),
      error: error?.code ?? 'none',
      message: (error?.message ?? '').replaceAll(kernel.root, '~').replace(/: EIO.*/, ''),
      left: hosts.get(kernel)!.left,
    };
  });
}
