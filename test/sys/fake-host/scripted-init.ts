/** A scripted runt-init: it reads the plan's frame, sends reports, and waits for the runtime's go. */
import { ops } from '../../../src/plan/plan-ops.js';
import { Protocol, REPORT, type ReportKind, type Span } from '../../../src/sys/protocol.js';
import type { OpenFile } from './descriptors.js';
import type { FakeKernel } from './fake-kernel.js';
import type { FakeProcess } from './processes.js';
import { SocketEnd } from './sockets.js';

/** Its next action: `go` waits for the runtime. */
export type Step = 'go' | ((init: ScriptedInit) => void);
type Value = string | number | OpenFile | readonly Span[];

export class ScriptedInit {
  /** The fields of the frame that it has received. */
  frame: readonly string[] = [];
  /** The pid in each go, without that for the operation `sync`; undefined for a go without one. */
  readonly gos: (number | undefined)[] = [];
  private steps: Step[];
  /** It is at the operation `sync`, before its steps. */
  private syncs = false;

  /** @param sync its end of the channel, to which it already has a reference */
  constructor(
    private readonly kernel: FakeKernel,
    public process: FakeProcess,
    readonly sync: SocketEnd,
    readonly files: (fd: number) => OpenFile | undefined,
    steps: readonly Step[],
    /** CLONE_NEW*, 0 if a supervisor started it. */
    readonly flags = 0n,
    /** Its action for a frame that makes it a supervisor. */
    private readonly supervise: (init: ScriptedInit) => void = () => {
      throw new Error('the test has no script for a supervisor');
    },
  ) {
    this.steps = [...steps];
    sync.onMessage = () => this.received();
    // Without its runtime it ends, unless it got its last go.
    sync.onHangUp = () => {
      if (this.frame.length === 0 || this.steps.length > 0) this.process.exit(1);
    };
  }

  report(kind: ReportKind, values: Readonly<Record<string, Value>> = {}): void {
    const fields: string[] = [kind];
    const files: OpenFile[] = [];
    for (const field of REPORT[kind].split(' ').filter((text) => text !== '')) {
      const value = values[field.replace(/^\W/, '')];
      if (field[0] === '@') files.push(...(value === undefined ? [] : [value as OpenFile]));
      else if (field[0] === '*') {
        for (const { index, start, end } of (value ?? []) as readonly Span[])
          fields.push(`${index}`, `${start}`, `${end}`);
      } else fields.push(String(value ?? ''));
    }
    this.sync.send(frameOf(fields), files);
  }

  /** Like execve(2): the channel is closed, and the process has another name. */
  execute(name = 'sh'): void {
    this.report('exec');
    this.process.name = name;
    this.hangUp();
  }

  /** At the operation with that index, it continues in another process (CLONE_PARENT). */
  goOnAs(process: FakeProcess, pidfd: OpenFile, index = 0): void {
    const old = this.process;
    process.files = old.files.map((file) => file.hold());
    this.process = process;
    this.report('pid', { index, pid: process.pid, pidfd });
    old.exit(0);
  }

  /** At the operation with that index, it continues in a sibling, with all of its open files. */
  goOn(index: number): void {
    const { processes } = this.kernel;
    const old = this.process;
    const { name, parent } = old;
    this.process = processes.add({ name, parent, cgroups: [...old.cgroups.values()] });
    this.process.files = old.files.splice(0);
    this.report('pid', { index, pid: this.process.pid, pidfd: processes.pidfd(this.process) });
    old.exit(0);
  }

  hangUp(): void {
    const { files } = this.process;
    const at = files.indexOf(this.sync);
    if (at < 0) return;
    files.splice(at, 1);
    this.sync.drop();
  }

  private received(): void {
    const message = this.sync.receive(Protocol.PLAN_MAX);
    if (typeof message === 'number') throw new Error('runt-init received nothing');
    const { data } = message;
    if (this.frame.length === 0) {
      this.frame = new TextDecoder().decode(data.subarray(4)).split('\0').slice(0, -1);
      if (this.frame[0] === Protocol.SUPERVISE_MAGIC) {
        this.steps = [];
        this.supervise(this);
        return;
      }
      const code = String(ops.sync.code);
      this.syncs = this.frame.some((field, i) => field === code && /^[0-9]+$/.test(this.frame[i + 1] ?? ''));
      if (this.syncs) return;
    } else if (this.syncs) {
      this.syncs = false;
    } else if (data[0] === Protocol.GO) {
      this.gos.push(data.length > 1 ? new DataView(data.buffer).getUint32(1, true) : undefined);
      if (this.steps[0] === 'go') this.steps.shift();
      else if (this.steps.length > 0) throw new Error('runt-init got a go, and did not wait');
    }
    this.perform();
  }

  /** Performs its steps up to the next `go`; for one that already has its plan, as when `start` connects. */
  perform(): void {
    for (let step = this.steps[0]; step !== undefined && step !== 'go'; step = this.steps[0]) {
      this.steps.shift();
      if (this.process.end) return;
      step(this);
    }
  }
}

/** A report in wire format: its length in 32 bits, then fields that are each terminated by NUL. */
export function frameOf(fields: readonly string[]): Uint8Array {
  const text = new TextEncoder().encode(fields.map((field) => `${field}\0`).join(''));
  const frame = new Uint8Array(4 + text.length);
  new DataView(frame.buffer).setUint32(0, text.length, true);
  frame.set(text, 4);
  return frame;
}

/** A step that sends one report. */
export const reports =
  (kind: ReportKind, values: Readonly<Record<string, Value>> = {}): Step =>
  (init) =>
    init.report(kind, values);

/** `create`: it is ready, and waits for `start` on its socket. */
export const created: readonly Step[] = [
  (init) => {
    init.process.name = Protocol.WAITING_NAME;
    init.report('created');
  },
  'go',
];
/** `run` and `exec`: it is ready, and executes the process after the go. */
export const executed: readonly Step[] = [reports('created'), 'go', (init) => init.execute()];

/** The steps of each runt-init, or of the n-th; the first is 0. */
export type Script = readonly Step[] | ((n: number) => readonly Step[]);

export const stepsOf = (script: Script, n: number): readonly Step[] =>
  typeof script === 'function' ? script(n) : script;

/** Makes each started runt-init perform its steps. @returns the started ones, in order */
export function scriptInit(
  kernel: FakeKernel,
  script: Script,
  supervise?: (init: ScriptedInit) => void,
): ScriptedInit[] {
  const started: ScriptedInit[] = [];
  kernel.processes.init = ({ process, file, flags }) => {
    const sync = file(3);
    if (!(sync instanceof SocketEnd)) throw new Error('runt-init has no channel');
    started.push(new ScriptedInit(kernel, process, sync, file, stepsOf(script, started.length), flags, supervise));
    return undefined;
  };
  return started;
}
