/** Trial containers: the checks of `runt doctor` create them, in a directory of their own. */
import { hasOnlyV2 } from '../cgroup/cgroup-facts.js';
import { create } from '../container/create.js';
import { remove } from '../container/delete.js';
import { withoutRoot } from '../container/launch/read-host-facts.js';
import { start } from '../container/start.js';
import { makePauseRoot } from '../shim/sandbox/pause-program.js';
import { pausePath } from '../shim/sandbox/pod-spec.js';
import type { Linux, Mount, Spec } from '../spec/config-types.js';
import { defaultSpec } from '../spec/default-config.js';
import { callerIds } from '../sys/caller-ids.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { makeDir, writeFile } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_CREAT, O_EXCL, X_OK } from '../sys/linux.js';
import { withTimeout } from '../sys/waiting/loop.js';
import { trialTime } from '../sys/waiting/time-limits.js';
import { type Finding, findingOf } from './check.js';

/** A change of the config of a trial. */
interface TrialChange {
  readonly linux?: Partial<Linux>;
  /** Mounts after those of the default config. */
  readonly mounts?: readonly Mount[];
  readonly process?: Partial<NonNullable<Spec['process']>>;
}

/** A mapping of root in the container to one id of the host. */
export const rootTo = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];

export interface Trial extends TrialChange {
  /** `disabled` when absent: a failure is then not about cgroups. */
  readonly cgroupManager?: 'cgroupfs' | 'systemd';
  /** Calls that the running container has to stand. */
  readonly during?: (container: { readonly root: string; readonly id: string }) => Promise<void>;
}

interface TrialResult {
  readonly error?: unknown;
  /** What runt warned of. */
  readonly warnings: readonly string[];
}

/** Directories in which a trial may be, best first; on some hosts one of them takes no programs. */
const candidates = (): string[] =>
  [host.env.TMPDIR, '/tmp', '/var/tmp', host.env.XDG_RUNTIME_DIR].filter(
    (path) => path !== undefined && path !== '',
  ) as string[];

export class TrialBed {
  private count = 0;

  private constructor(private readonly directory: string) {}

  /** @throws RuntError ERR_IO if none of the directories can be written */
  static open(): TrialBed {
    let failed: RuntError | undefined;
    for (const above of candidates()) {
      const directory = `${above}/runt-doctor-${native.pid()}-${native.monotonic()}`;
      // Others may enter it, as a container's root may be another user; they may write nothing.
      const made = native.mkdirAt(AT_FDCWD, directory, 0o711);
      if (made < 0) {
        const message = `make the directory ${directory}`;
        failed ??= new RuntError({ code: 'ERR_IO', message, path: directory, errno: -made, hint: otherDirectory });
        continue;
      }
      const bed = new TrialBed(directory);
      try {
        bed.fill();
        return bed;
      } catch (error) {
        bed.close();
        if (!(error instanceof RuntError)) throw error;
        failed ??= error;
      }
    }
    throw failed!;
  }

  private fill(): void {
    makeDir(`${this.directory}/state`, 0o700);
    makePauseRoot(this.path('rootfs'));
    for (const name of ['dev/pts', 'dev/shm', 'dev/mqueue', 'sys', 'mnt']) makeDir(this.path(`rootfs/${name}`));
    for (const name of ['lower', 'upper']) makeDir(this.path(name));
    // Also root, because of the mount option "noexec".
    const program = this.path(`rootfs${pausePath}`);
    const message = `execute ${program}`;
    check(native.access(program, X_OK), { code: 'ERR_IO', message, path: program, hint: otherDirectory });
  }

  /** Path of something in the bed. */
  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Creates, starts and deletes a container. Its processes, cgroups and mounts end with it, whatever fails. */
  async run(trial: Trial = {}): Promise<TrialResult> {
    const id = `doctor-${native.pid()}-${++this.count}`;
    const root = this.path('state');
    const container = { root, id };
    const warnings: string[] = [];
    const config = this.path(`${id}.json`);
    const warn = (sentence: string): void => void warnings.push(sentence.replace(/^create \S+: /, ''));
    let error: unknown;
    try {
      writeFile(config, JSON.stringify(this.config(trial)), O_CREAT | O_EXCL);
      const { cgroupManager = 'disabled' } = trial;
      const work = async (): Promise<true> => {
        await create({ ...container, bundle: this.directory, config, cgroupManager, warn });
        await start(container);
        await trial.during?.(container);
        return true;
      };
      if (!(await withTimeout(work(), trialTime))) error = timeoutError();
    } catch (caught) {
      error = caught;
    }
    try {
      const removed = remove({ ...container, force: true }).then(() => true);
      if (!(await withTimeout(removed, trialTime))) error ??= timeoutError();
    } catch (caught) {
      error ??= caught;
    }
    return { ...(error !== undefined && { error }), warnings };
  }

  /**
   * Runs a trial and judges it.
   * @param found what to say of a success @param status the status of a failure
   * @param remedy that of a failure; with `at` only of one at this path of the container
   */
  async finding(
    trial: Trial,
    found: string,
    status: 'warning' | 'failed' = 'failed',
    remedy?: string,
    at?: string,
  ): Promise<Finding> {
    const { error, warnings } = await this.run(trial);
    const isElsewhere = at !== undefined && error instanceof RuntError && error.path !== at;
    if (error !== undefined) return findingOf(error, status, isElsewhere ? undefined : remedy);
    const [warning] = warnings;
    if (warning !== undefined) return { status: 'warning', found: warning, ...(remedy && { remedy }) };
    return { status: 'ok', found };
  }

  private config({ linux, mounts = [], process }: Trial): Spec {
    const spec = defaultSpec({ rootless: withoutRoot(), ...callerIds(), cgroupV2: hasOnlyV2() });
    const { resources: _, ...rest } = spec.linux!;
    const all = { ...rest, ...linux };
    // In a user namespace of one id, group 5 (tty) is not mapped.
    const own = (option: string): boolean => !(option === 'gid=5' && all.uidMappings);
    return {
      ...spec,
      process: { ...spec.process!, terminal: false, args: [pausePath], ...process },
      mounts: [
        // cgroupManager "disabled" permits no mount of the cgroup.
        ...spec
          .mounts!.filter(({ type }) => type !== 'cgroup')
          .map((mount) => ({ ...mount, ...(mount.options && { options: mount.options.filter(own) }) })),
        ...mounts,
      ],
      linux: all,
    };
  }

  close(): void {
    const result = native.removeTree(AT_FDCWD, this.directory);
    if (result === -E.ENOENT) return;
    check(result, { code: 'ERR_IO', message: `remove ${this.directory}`, path: this.directory });
  }
}

const otherDirectory = 'set TMPDIR to a directory that this user can write, on a file system without "noexec"';

const timeoutError = (): RuntError =>
  new RuntError({
    code: 'ERR_TIMEOUT',
    message: `the trial container did not answer within ${trialTime / 1000} seconds`,
    hint: 'look into dmesg, and at the load of the machine',
  });
