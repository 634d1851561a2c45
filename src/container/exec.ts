/** `exec`: another process in a container, with runc's semantics (not in the runtime-spec). */

import type { CgroupFacts } from '../cgroup/cgroup-facts.js';
import { findFrozen, isFrozenOrFreezing } from '../cgroup/freezer.js';
import { type AnnotationPolicy, annotationPolicy, findUnsafe, refuseDenied } from '../plan/annotation-policy.js';
import { type CgroupEntry, compileExec, type ExecRequest, type ExecTarget, execProcess } from '../plan/exec-compile.js';
import type { HostFacts, ListenFds } from '../plan/host-facts.js';
import type { Plan } from '../plan/op-list.js';
import type { Op } from '../plan/plan-ops.js';
import { changesStdioOwner } from '../plan/process/process-compile.js';
import type { Process, Spec } from '../spec/config-types.js';
import { parseJson } from '../spec/json/parse-json.js';
import { utf8Text } from '../spec/json/utf8.js';
import type { NamespaceType } from '../spec/linux-types.js';
import { MAX_CONFIG, parseSpec, USUAL_CONFIG } from '../spec/load-config.js';
import { append } from '../sys/append.js';
import { E } from '../sys/errno.js';
import { check, RuntError, type Violation } from '../sys/error.js';
import { exists, readAtMost, readLink, tryReadLink, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { capabilityNumber } from '../sys/kernel-names.js';
import { AT_FDCWD, CLONE_NEWUSER, namespaceFlags } from '../sys/linux.js';
import { now, sleep } from '../sys/waiting/loop.js';
import { cgroupMovePause, cgroupMoveTime, endAfterExec } from '../sys/waiting/time-limits.js';
import { checkOp, OpFailed } from './failure/op-failed.js';
import { endOf } from './launch/child-end.js';
import { Launch } from './launch/launch.js';
import type { LaunchResources } from './launch/launch-resources.js';
import type { RootlessMode } from './launch/read-host-facts.js';
import { readHostFacts } from './launch/read-host-facts.js';
import type { Stdio } from './launch/spawn-init.js';
import { holdProcess, isAlive, statusOf, unifiedPath } from './state/recorded-process.js';
import { type ContainerRecord, loadRecord } from './state/state-store.js';
import { loadStoredSpec } from './state/stored-spec.js';
import type { EndLimit, TimeLimit } from './stdio/end-limit.js';
import { interruptible, openSignals, waitForEnd } from './stdio/foreground.js';
import type { Terminal } from './stdio/foreground-terminal.js';
import { checkPreserved } from './stdio/preserved-descriptors.js';
import type { StdioFiles } from './stdio/stdio-files.js';
import type { StdioOwners } from './stdio/stdio-owner.js';

export interface ExecOptions extends Omit<ExecRequest, 'process'>, TimeLimit {
  readonly root: string;
  readonly id: string;
  /** Path of a JSON file with a process, */
  readonly process?: string;
  /** or the content of such a file. */
  readonly processText?: Uint8Array;
  /** Cgroups below the container's, each `[CONTROLLER[,CONTROLLER…]:]PATH`. */
  readonly cgroups?: readonly string[];
  readonly consoleSocket?: string;
  readonly detach: boolean;
  /** Descriptors that become 0, 1 and 2; this process's when absent. */
  readonly stdio?: Stdio;
  /** Instead of `stdio`. */
  readonly stdioFiles?: StdioFiles;
  /** File to write the pid to: digits only, no newline. */
  readonly pidFile?: string;
  readonly preserveFds?: number;
  /** Socket activation: sockets from descriptor 3 on, before those of `preserveFds`. */
  readonly listen?: ListenFds;
  /** Absolute path of the socket that receives a pidfd of the process. */
  readonly pidfdSocket?: string;
  /** Allow a paused container, where the process waits with the others; otherwise an error. */
  readonly ignorePaused?: boolean;
  readonly rootless?: RootlessMode;
  /** Same as in CreateOptions; only `deny` has an effect, because create has warned. */
  readonly unsafeAnnotations?: AnnotationPolicy;
  readonly trace?: string;
  /** Kill the process when the parent of this process, or in the foreground this process, has ended. */
  readonly dieWithParent?: boolean;
  /** Pidfds of the one or two processes that the process ends with; the caller closes them. */
  readonly followed?: readonly number[];
  /** Receives each operation that is done. */
  readonly onDone?: (op: Op) => void;
  /** Receives one sentence for each value that is not applied. */
  readonly warn?: (sentence: string) => void;
}

/**
 * Executes a process in a container.
 * @returns its exit status; 0 if detached
 * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_EXEC … after the undo
 */
export async function exec(options: ExecOptions): Promise<number> {
  checkPreserved(options);
  const { stdioFiles } = options;
  let o = stdioFiles ? { ...options, stdio: await openStdio(options, stdioFiles) } : options;
  if (o.dieWithParent) o = (await import('./launch/followed-processes.js')).withFollowed('exec', o);
  // Before the clone, so that no early signal is lost.
  const signals = o.detach ? -1 : openSignals(`exec ${o.id}`);
  const { launch, terminal, stdioOwners } = await interruptible(`exec ${o.id}`, signals, () => startExec(o));
  try {
    try {
      writeFiles(o, launch);
    } catch (error) {
      await launch.undo();
      throw error;
    }
    const again = terminal || stdioOwners ? undefined : false;
    const limit = o.timeout === undefined || o.detach ? undefined : await limitOf(o, launch);
    if (!o.detach) await launch.orUndo(waitForEnd(launch, signals, terminal, again, limit));
    const status = o.detach ? 0 : endOf(launch.pidfd).status;
    launch.close();
    limit?.check();
    return status;
  } finally {
    terminal?.close();
    stdioOwners?.restore();
  }
}

const openStdio = async ({ id }: ExecOptions, files: StdioFiles): Promise<Stdio> =>
  (await import('./stdio/stdio-files.js')).openStdioFiles(files, id);

async function limitSupervised(o: ExecOptions, launch: Launch): Promise<void> {
  const { limitProcess } = await import('./launch/supervisor.js');
  await limitProcess(launch.resources.directory, launch.pid, o);
}

async function guard(launch: Launch, followed: readonly number[]): Promise<void> {
  const { guardExec } = await import('./launch/followed-processes.js');
  const { directory, execKey } = launch.resources;
  await guardExec(directory, launch, followed, execKey);
}

async function limitOf(o: ExecOptions, { pid, pidfd }: Launch): Promise<EndLimit> {
  const { EndLimit } = await import('./stdio/end-limit.js');
  return new EndLimit(o, { what: `exec ${o.id}`, pid, pidfd, cgroups: [] });
}

/** Starts the process and resolves after its execve. The caller closes its pidfd or waits for it. */
export async function startExec(o: ExecOptions): Promise<StartedExec> {
  const fileFields: string[] = [];
  try {
    return await launchExec(o, fileFields);
  } catch (error) {
    if (error instanceof RuntError && /^ERR_(IO|SPEC_MISSING|STATE|CGROUP_PATH)$/.test(error.code))
      await checkStillRuns(o, error);
    const { withExecOrigin } = await import('./failure/exec-pointer.js');
    throw withExecOrigin(error, o, fileFields, processName(o));
  }
}

/**
 * A file that cannot be read may be one of a container that is just ending or was just deleted.
 * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS
 */
async function checkStillRuns(o: ExecOptions, error: RuntError): Promise<void> {
  if (await isEnding(loadRecord(o.root, o.id), error)) throw statusError('cannot exec in a stopped container', o.id);
}

interface StartedExec {
  readonly launch: Launch;
  readonly terminal: Terminal | undefined;
  /** Stdio that the process owns until it ends. */
  readonly stdioOwners: StdioOwners | undefined;
}

/** @param fileFields receives the field names of the file of --process */
async function launchExec(o: ExecOptions, fileFields: string[]): Promise<StartedExec> {
  const record = loadRecord(o.root, o.id);
  const status = statusOf(o.root, record, isFrozenOrFreezing);
  if (status === 'paused' && !o.ignorePaused) {
    await refuseFrozen(o, record.cgroups, record.cgroups);
    throw pausedError(o.id);
  }
  if (o.detach && o.timeout !== undefined && !record.supervisor) {
    throw new RuntError({
      code: 'ERR_NOT_SUPERVISED',
      message: `exec ${o.id}: the container has no supervisor, so nothing can end a detached process`,
      hint: 'create it with --supervise, or run exec without --detach',
    });
  }
  if (status === 'stopped' || status === 'creating') throw statusError(`cannot exec in a ${status} container`, o.id);
  // Ignore the warnings: create has issued them.
  const { spec } = loadStoredSpec(o.root, record);
  const policy = annotationPolicy(o.unsafeAnnotations);
  if (spec.annotations) refuseDenied(findUnsafe(spec.annotations, ['exec']), policy);
  const { process, warnings } = readProcess(o, spec);
  // As in a config: an engine may pass capabilities of a newer kernel.
  const unknown = [...new Set(o.capabilities)].filter((name) => name !== '' && capabilityNumber(name) === undefined);
  if (o.warn && warnings.length + unknown.length > 0) {
    const { processWarnings, unknownCapabilities } = await import('./failure/exec-warnings.js');
    const name = processName(o) ?? '';
    for (const sentence of [...unknownCapabilities(o.id, unknown), ...processWarnings(name, warnings)])
      o.warn(sentence);
  }
  append(fileFields, Object.keys(process ?? {}));
  const wanted = execProcess(spec, { ...o, ...(process && { process }) } as ExecRequest);
  let terminal: Terminal | undefined;
  const isTerminal = wanted.process.terminal === true;
  if (isTerminal && o.stdioFiles) throw (await import('./stdio/stdio-files.js')).terminalError(`exec ${o.id}`);
  if (isTerminal || o.consoleSocket !== undefined) {
    const { checkConsole, Terminal } = await import('./stdio/foreground-terminal.js');
    checkConsole(`exec ${o.id}`, isTerminal, o.consoleSocket, !o.detach);
    if (!o.detach) terminal = Terminal.ofCaller(`exec ${o.id}`);
  }
  const facts = readHostFacts(o.rootless);
  const target = readTarget(o, record, spec, facts);
  // The process would freeze in another cgroup too.
  const others = target.entries.map(({ directory }) => directory).filter((path) => !record.cgroups.includes(path));
  if (!o.ignorePaused && others.length > 0 && (await refuseFrozen(o, others, record.cgroups))) throw pausedError(o.id);
  const unitCgroup = record.unit?.bus && (await cgroupByUnit(target));
  const preserveFds = (o.preserveFds ?? 0) + (o.listen?.count ?? 0);
  const compiled = (moveLast: boolean, entries = unitCgroup ? [] : target.entries) =>
    compileExec(spec, wanted, { ...target, entries, moveLast }, facts, {
      id: o.id,
      bundle: record.bundle,
      stateDir: `${o.root}/${o.id}`,
      startSocket: false,
      supervise: false,
      ...(o.consoleSocket !== undefined && { consoleSocket: o.consoleSocket }),
      noPivot: false,
      noNewKeyring: target.noNewKeyring,
      preserveFds,
      ...(o.listen && { listen: o.listen }),
      ...(o.pidfdSocket !== undefined && { pidfdSocket: o.pidfdSocket }),
      ...(!o.detach && { foreground: true }),
    });
  const withSupervisor = o.detach && record.supervisor !== undefined;
  const merged: Spec = { ...spec, process: wanted.process };
  const launchOf = (plan: Plan) =>
    new Launch({
      command: 'exec',
      root: o.root,
      record,
      spec: merged,
      facts,
      plan,
      trace: o.trace !== undefined,
      preserveFds,
      oomFile: '',
      exec: checkContainer,
      ...(unitCgroup && { unitCgroup }),
      supervised: withSupervisor,
      ...(o.onDone && { onDone: o.onDone }),
      ...(o.stdio && { stdio: o.stdio }),
    });
  let plan = compiled(false);
  let launch!: Launch;
  const lastRetry = now() + cgroupMoveTime;
  // New sockets for each attempt: a killed supervisor may have left processes with the old ones.
  const attempt = (): Promise<void> => {
    launch = launchOf(plan);
    return launch.perform();
  };
  const perform = async (): Promise<void> => {
    for (let moveLast = false; ; ) {
      try {
        await attempt();
        return;
      } catch (error) {
        const full: boolean = !moveLast && isOverPidsLimit(error);
        const moved = !o.cgroups?.length && isCgroupMoving(error) && now() < lastRetry;
        if (unitCgroup || !(full || moved)) throw error;
        moveLast ||= full;
        if (!full) await sleep(cgroupMovePause);
        // Use init's cgroup if the container's no longer accepts processes.
        plan = compiled(moveLast, cgroupEntries(o, record, facts, true));
      }
    }
  };
  const stdioOwners =
    !o.detach && changesStdioOwner(plan) ? new (await import('./stdio/stdio-owner.js')).StdioOwners() : undefined;
  try {
    if (withSupervisor) await (await import('./launch/supervisor.js')).withSupervisor(`${o.root}/${o.id}`, perform);
    else await perform();
    if (withSupervisor && o.timeout !== undefined) await launch.orUndo(limitSupervised(o, launch));
    // Before the start: until then the process ends with this one.
    if (o.followed) await launch.orUndo(guard(launch, o.followed));
    await launch.start(terminal);
  } catch (error) {
    terminal?.close();
    stdioOwners?.restore();
    if (o.followed) {
      const { parentEndError } = await import('./launch/followed-processes.js');
      const ended = parentEndError(`exec ${o.id}`, o.followed, error);
      if (ended) throw ended;
    }
    // If the container is just ending, the kernel returns various errors: report this one instead.
    if (await isEnding(record, error)) throw statusError('cannot exec in a stopped container', o.id);
    if (!(error instanceof OpFailed)) throw error;
    const { opFailureError } = await import('./failure/op-failure.js');
    throw opFailureError('exec', o.id, error.failed, merged, facts);
  }
  if (o.trace !== undefined) {
    try {
      const { writeTrace } = await import('./launch/trace-file.js');
      writeTrace(`exec ${o.id}`, o.trace, plan, launch.spans, []);
    } catch (error) {
      terminal?.close();
      await launch.undo();
      stdioOwners?.restore();
      throw error;
    }
  }
  return { launch, terminal, stdioOwners };
}

/**
 * Refuses cgroups that are frozen, themselves or by an ancestor.
 * @param own the container's, whose own freezer the caller handles: `pause` froze them
 * @returns whether those are frozen
 * @throws RuntError ERR_CGROUP
 */
async function refuseFrozen(o: ExecOptions, directories: readonly string[], own: readonly string[]): Promise<boolean> {
  const freezer = findFrozen(directories);
  if (!freezer) return false;
  const { frozenAncestor, frozenError } = await import('../cgroup/frozen-ancestor.js');
  if (own.includes(frozenAncestor(freezer.directory) ?? '')) return true;
  throw frozenError(`exec ${o.id}: the cgroup is frozen`, freezer.directory, 'use --ignore-paused to wait for that');
}

/**
 * The process is in the container's cgroups by now. A concurrent `delete` either finds it there, or has ended the
 * container's process before.
 * @throws OpFailed if that has ended
 */
function checkContainer({ slots, input: { plan, record } }: LaunchResources): void {
  // The first operation has opened this slot: a pidfd, or else a directory, which cannot be polled.
  if (native.isReadable(slots[0]?.number ?? -1) === 0 || isAlive(record)) return;
  checkOp(plan.ops.at(0)!, -E.ESRCH, 'pidfd_open');
}

/** Whether pids.max of the container's cgroups left no room for a helper process. */
function isOverPidsLimit(error: unknown): boolean {
  if (!(error instanceof OpFailed)) return false;
  const { op, errno } = error.failed;
  return errno === E.EAGAIN && (op?.op === 'fork' || op?.op === 'cgroupFork');
}

/**
 * Whether the container (one with systemd or an engine, for example) was just moving its processes to cgroups below its
 * own: retry if a cgroup has vanished or accepts no process.
 */
function isCgroupMoving(error: unknown): boolean {
  if (!(error instanceof OpFailed)) return false;
  const { op, errno } = error.failed;
  const entering = op?.op === 'cgroupFork' || op?.op === 'cgroupEnter';
  if (op?.op === 'cgroupDirectory' || op?.op === 'cgroupOpen') return errno === E.ENOENT;
  return entering && (errno === E.EBUSY || errno === E.ENODEV || errno === E.ENOENT);
}

/** Whether the container has ended, or ends within the usual limits: an exiting process leaves its namespaces first. */
async function isEnding(record: ContainerRecord, error: unknown): Promise<boolean> {
  const held = holdProcess(record);
  if (!held) return true;
  try {
    const { endsSoon } = await import('./state/ending-process.js');
    if (await endsSoon(record)) return true;
    // The new process may have been killed first; after ENOMEM the pid namespace accepts no process.
    const { op, errno } = error instanceof OpFailed ? error.failed : { op: undefined, errno: 0 };
    const killed = error instanceof RuntError && (error.code === 'ERR_INIT_DIED' || error.code === 'ERR_IO');
    if (!killed && !(op?.op === 'fork' && errno === E.ENOMEM)) return false;
    return (await held.waitForEnd(endAfterExec)) || (await endsSoon(record));
  } finally {
    held.close();
  }
}

const statusError = (message: string, id: string): RuntError =>
  new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `${message}: ${id}` });

const pausedError = (id: string): RuntError =>
  statusError('cannot exec in a paused container (use --ignore-paused to override)', id);

/** Name of the JSON process in errors; undefined without one. */
const processName = (o: ExecOptions): string | undefined => (o.processText ? 'the process document' : o.process);

/** Parses the JSON process, by the rules of config.json. */
function readProcess(o: ExecOptions, spec: Spec): { process?: Process; warnings: readonly Violation[] } {
  const name = processName(o);
  if (name === undefined) return { warnings: [] };
  const bytes = o.processText ?? readFile(name);
  const text = utf8Text(bytes, name);
  // For its own line and column, not those of the document around it.
  parseJson(text, name);
  const config = host.encode(`{"ociVersion":${JSON.stringify(spec.ociVersion)},"root":{"path":"/"},"process":${text}}`);
  const { spec: parsed, warnings } = parseSpec(config, config.length, name);
  return { process: parsed.process as Process, warnings };
}

function readFile(path: string): Uint8Array {
  const read = readAtMost(path, USUAL_CONFIG, MAX_CONFIG);
  if (typeof read !== 'number') return read;
  throw new RuntError({ code: 'ERR_SPEC_READ', message: `exec: read ${path}`, path, errno: -read, syscall: 'read' });
}

/**
 * Reads the container's current state for the plan. It is the container's only if its process still runs afterwards:
 * the plan opens that process by pid and start time.
 */
function readTarget(o: ExecOptions, record: ContainerRecord, spec: Spec, facts: HostFacts): ExecTarget {
  const { pid, startTime } = record;
  // Root of the host may join a namespace that it is in already, except its user namespace (setns(2)). So it compares
  // only those that the config does not name, which can be the runtime's own.
  const isRoot = !facts.rootless && o.rootless !== 'false';
  const joined = isRoot ? spec.linux?.namespaces?.map(({ type }) => type) : undefined;
  let namespaces = 0;
  for (const name in namespaceFlags) {
    const isJoined = name !== 'user' && joined?.includes(name as NamespaceType);
    if (isJoined || isOther(name, pid)) namespaces |= namespaceFlags[name] as number;
  }
  // Also in the caller's own user namespace, which may be an engine's.
  const setGroupsDenied =
    (facts.rootless || (namespaces & CLONE_NEWUSER) !== 0) && tryReadText(`/proc/${pid}/setgroups`) === 'deny\n';
  const entries = cgroupEntries(o, record, facts);
  return { pid, startTime, namespaces, entries, noNewKeyring: record.noNewKeyring === true, setGroupsDenied };
}

/** Whether a process is in another namespace of this type than the runtime. */
function isOther(type: string, pid: number): boolean {
  const file = type === 'mount' ? 'mnt' : type === 'network' ? 'net' : type;
  // A kernel without time namespaces lacks the file for every process.
  const own = type === 'time' ? tryReadLink(`/proc/self/ns/${file}`) : readLink(`/proc/self/ns/${file}`);
  return own !== undefined && readLink(`/proc/${pid}/ns/${file}`) !== own;
}

/**
 * Files of the cgroups to enter: the container's, or the requested ones below.
 * @param each look at each: of several recorded cgroups all but the last are of v1, in a record that is not salvaged
 */
function cgroupEntries(o: ExecOptions, record: ContainerRecord, facts: HostFacts, each = false): CgroupEntry[] {
  const below = subCgroups(o.cgroups ?? []);
  const named = new Set<string>();
  const last = record.cgroups.length - 1;
  const found = record.cgroups.map((directory, i): CgroupEntry => {
    const v1 = (i < last && !each && below.size === 0) || exists(`${directory}/tasks`);
    const names = v1 && below.size > 0 ? controllersOf(directory, facts.cgroup) : [];
    for (const name of names) if (below.has(name)) named.add(name);
    const sub = names.map((n) => below.get(n)).find((p) => p !== undefined) ?? below.get('');
    const path = sub === undefined ? (v1 ? directory : domainOf(directory, record.pid, facts)) : `${directory}${sub}`;
    if (sub !== undefined && !exists(path)) throw cgroupError(sub, `there is no cgroup ${path}`);
    return { directory: path, version: v1 ? 1 : 2 };
  });
  for (const name of below.keys()) {
    if (name !== '' && !named.has(name)) throw cgroupError(name, 'the container has no v1 cgroup with this controller');
  }
  return found;
}

/** A user unit's cgroup that only systemd may move the process into; undefined if the process enters by itself. */
async function cgroupByUnit({ entries }: ExecTarget): Promise<string | undefined> {
  const cgroup = entries[0]?.directory;
  return cgroup && !(await import('./cgroups/systemd-unit.js')).mayMoveInto(cgroup) ? cgroup : undefined;
}

/** Path by controller, '' for all others. */
function subCgroups(requested: readonly string[]): Map<string, string> {
  const paths = new Map<string, string>();
  for (const text of requested) {
    const colon = text.indexOf(':');
    const controllers = colon < 0 ? [''] : text.slice(0, colon).split(',');
    const parts = text
      .slice(colon + 1)
      .split('/')
      .filter((p) => p !== '' && p !== '.');
    if (parts.includes('..')) throw cgroupError(text, 'bad sub cgroup path: it has ".." in it');
    if (colon >= 0 && controllers.includes('')) throw cgroupError(text, 'a controller has no name');
    for (const controller of controllers) {
      if (paths.has(controller))
        throw cgroupError(text, controller ? `${controller} has two paths` : 'two paths are given');
      paths.set(controller, parts.length > 0 ? `/${parts.join('/')}` : '');
    }
  }
  return paths;
}

const cgroupError = (text: string, why: string): RuntError =>
  new RuntError({
    code: 'ERR_CGROUP_PATH',
    message: `exec: --cgroup "${text}": ${why}`,
    hint: 'write [CONTROLLER[,CONTROLLER…]:]PATH, with the path of a cgroup that exists below the container’s',
  });

/** Controllers of a directory's v1 hierarchy. */
function controllersOf(directory: string, { v1 }: CgroupFacts): readonly string[] {
  const h = v1.find(({ mountPoint }) => directory.startsWith(`${mountPoint}/`));
  return h ? (h.name === undefined ? h.controllers : [h.name, `name=${h.name}`]) : [];
}

/**
 * v2: a cgroup that enables controllers for its children accepts no processes (cgroups(7), "no internal processes"). A
 * container with systemd has moved all of its own below. Then use the cgroup of its init process.
 */
function domainOf(directory: string, pid: number, facts: HostFacts): string {
  const enabled = tryReadText(`${directory}/cgroup.subtree_control`)?.trim();
  if (enabled === '') return directory;
  const mountPoint = facts.cgroup.unified?.mountPoint ?? '';
  const path = `${mountPoint}${unifiedPath(pid)}`;
  // An empty cgroup was removed (systemd does that to a scope): then the init process was moved elsewhere.
  return path.startsWith(`${directory}/`) || enabled === undefined ? path : directory;
}

/** The pid file comes last: to engines its absence means failure. */
function writeFiles(o: ExecOptions, launch: Launch): void {
  if (o.pidFile === undefined) return;
  check(native.replaceFile(AT_FDCWD, o.pidFile, 0o644, host.encode(String(launch.pid))), {
    code: 'ERR_IO',
    message: `exec ${o.id}: write the pid file ${o.pidFile}`,
    path: o.pidFile,
  });
}
