/** A container on the fake kernel, with its record, process and cgroups, for tests of the commands. */
import { makeStateDir } from '../../src/container/state/claim-id.js';
import type { ContainerRecord } from '../../src/container/state/state-store.js';
import { saveRecord } from '../../src/container/state/stored-files.js';
import { RuntError } from '../../src/sys/error.js';
import { mountCgroups } from '../sys/fake-host/cgroups.js';
import { type Outcome, eachFailure as ofKernel } from '../sys/fake-host/each-failure.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';
import type { FakeProcess } from '../sys/fake-host/processes.js';
import { recordOf } from './state/records.js';

interface ContainerOptions {
  /** The hierarchies of the host; `none`: no cgroup file system, and a container without cgroups. */
  readonly layout?: 'v2' | 'v1' | 'none';
  readonly status?: 'creating' | 'created' | 'running' | 'stopped';
  readonly record?: Partial<ContainerRecord>;
  /** Additional files of each cgroup, with their text. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The container `web`; its process is 2500 unless it has stopped. */
export class FakeContainer {
  readonly kernel = new FakeKernel();
  readonly id = 'web';
  readonly root = this.kernel.root;
  readonly directory = `${this.root}/web`;
  readonly record: ContainerRecord;
  readonly process: FakeProcess | undefined;
  readonly cgroups: readonly string[];
  readonly warnings: string[] = [];
  readonly warn = (sentence: string): void => void this.warnings.push(sentence);
  /** The options that every command takes. */
  readonly options = { root: this.root, id: this.id, warn: this.warn };

  constructor({ layout = 'v2', status = 'created', record = {}, files = {} }: ContainerOptions = {}) {
    const { kernel } = this;
    const { tree } = kernel;
    if (layout === 'v2') mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '', files });
    else if (layout === 'v1') {
      for (const controllers of ['freezer', 'memory']) {
        mountCgroups(kernel, `/sys/fs/cgroup/${controllers}`, { controllers, files });
      }
    }
    this.cgroups = {
      v2: ['/sys/fs/cgroup/web'],
      v1: ['/sys/fs/cgroup/freezer/web', '/sys/fs/cgroup/memory/web'],
      none: [],
    }[layout];
    const cgroups = this.cgroups.map((path) => tree.directory(path));
    makeStateDir(this.root, this.id);
    this.record = recordOf(this.id, {
      cgroups: this.cgroups,
      status: status === 'creating' ? 'creating' : 'created',
      ...record,
    });
    saveRecord(this.root, this.record);
    if (status !== 'stopped') {
      const name = status === 'running' ? 'sleep' : 'runt/init';
      this.process = kernel.processes.add({ pid: 2500, name, cgroups });
    }
    if (status === 'created') tree.socket(`${this.directory}/start.sock`);
    kernel.calls.length = 0;
  }

  /** Adds a process to the container's cgroups. */
  addProcess(pid: number, name = 'worker'): FakeProcess {
    const { tree, processes } = this.kernel;
    return processes.add({ pid, name, cgroups: this.cgroups.map((path) => tree.directory(path)) });
  }

  /** Adds another, stopped container, whose cgroups are not made. */
  addContainer(id: string, over: Partial<ContainerRecord> = {}): void {
    makeStateDir(this.root, id);
    saveRecord(this.root, recordOf(id, { pid: 0, startTime: '', ...over }));
    this.kernel.calls.length = 0;
  }

  /** Freezes or thaws the cgroup at a path. */
  freeze(path: string, on = true): void {
    const { tree } = this.kernel;
    const v1 = tree.at(`${path}/freezer.state`);
    const inode = v1 ?? tree.at(`${path}/cgroup.freeze`);
    inode?.hooks.write?.(v1 ? (on ? 'FROZEN' : 'THAWED') : on ? '1' : '0');
  }

  /** Runs a command to its end. */
  run<T>(work: () => T | Promise<T>): Promise<T> {
    this.kernel.use();
    return this.kernel.finish(Promise.resolve().then(work));
  }

  /** The error of a command that must fail. */
  async failure(work: () => unknown): Promise<RuntError> {
    try {
      await this.run(work);
    } catch (error) {
      if (error instanceof RuntError) return error;
      throw error;
    }
    throw new Error('it did not fail');
  }

  /**
   * The calls with these names so far, with `~` for the root; a name that is not a function's is a mark of the test.
   */
  calls(names: RegExp): string[] {
    return this.kernel.calls.filter((call) => names.test(call)).map((call) => this.short(call));
  }

  /** A text without the number of the root. */
  short(text: string): string {
    return text.replaceAll(this.root, '~');
  }

  /** What remains: the cgroups, the state directory, the process. */
  get left(): string[] {
    const { tree, processes } = this.kernel;
    const cgroups = this.cgroups.filter((path) => tree.at(path));
    const state = tree.at(this.directory) ? ['~/web'] : [];
    return [
      ...cgroups,
      ...state,
      ...processes.list.filter(({ pid }) => pid >= 2500).map(({ pid }) => `process ${pid}`),
    ];
  }
}

/** The code and message of an error, without the number of the root. */
export const told = (c: FakeContainer, { code, message }: RuntError): string => `${code} ${c.short(message)}`;

/** Like `eachFailure` of the fake host, with a new container for each failing call. */
export async function eachFailure(
  make: () => FakeContainer,
  act: (c: FakeContainer) => unknown,
  errno?: number,
): Promise<(Outcome & { readonly container: FakeContainer })[]> {
  const made = new Map<FakeKernel, FakeContainer>();
  const makeKernel = (): FakeKernel => {
    const container = make();
    made.set(container.kernel, container);
    return container.kernel;
  };
  const outcomes = await ofKernel(makeKernel, (kernel) => act(made.get(kernel)!), errno);
  return outcomes.map((outcome) => ({ ...outcome, container: made.get(outcome.kernel)! }));
}
