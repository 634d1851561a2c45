/** A scripted supervisor that starts scripted runt-inits and records their exits. */
import { CLD_EXITED, S_IFREG } from '../../../src/sys/linux.js';
import { Protocol } from '../../../src/sys/protocol.js';
import type { OpenFile } from '../../sys/fake-host/descriptors.js';
import type { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { Inode } from '../../sys/fake-host/file-tree.js';
import type { FakeProcess, Spawned } from '../../sys/fake-host/processes.js';
import { frameOf, type Script, ScriptedInit } from '../../sys/fake-host/scripted-init.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

interface Child {
  readonly process: FakeProcess;
  /** The file that records its exit: `exit.json`, or that of an exec. */
  record: string | undefined;
}

const EXIT_RECORD: string = Protocol.EXIT_RECORD;
const fieldsOf = (data: Uint8Array): string[] => new TextDecoder().decode(data).split('\0').slice(0, -1);

export class TaskSupervisor {
  readonly process: FakeProcess;
  private readonly children: Child[] = [];
  private stateDir: Inode | undefined;
  private startedOne = false;

  constructor(
    private readonly kernel: FakeKernel,
    { process, file }: Spawned,
    private readonly started: (init: ScriptedInit) => void,
    private readonly steps: () => ReturnType<Extract<Script, (n: number) => unknown>>,
  ) {
    this.process = process;
    const sync = file(3);
    if (!(sync instanceof SocketEnd)) throw new Error('the supervisor has no channel');
    sync.onMessage = () => this.begin(sync, file);
    // The runtime ended before it started a container.
    sync.onHangUp = () => {
      if (!this.startedOne) process.exit(0);
    };
    kernel.processes.onChange.push((child, gone) => {
      if (gone) this.ended(child);
    });
  }

  private begin(sync: SocketEnd, file: Spawned['file']): void {
    const message = sync.receive(Protocol.PLAN_MAX);
    if (typeof message === 'number') throw new Error('the supervisor received nothing');
    if (this.stateDir) {
      this.request(sync, message.data, message.files);
      return;
    }
    const [magic, listener, directory] = fieldsOf(message.data.subarray(4));
    if (magic !== Protocol.SUPERVISE_MAGIC) throw new Error(`the supervisor received ${magic}`);
    this.stateDir = file(Number(directory))?.inode;
    this.kernel.sockets.serve(file(Number(listener))!, (end) => {
      end.onHangUp = () => end.drop();
      end.onMessage = () => {
        const asked = end.receive(Protocol.PLAN_MAX);
        if (typeof asked !== 'number') this.request(end, asked.data, asked.files);
      };
    });
    sync.send(frameOf(['created']));
  }

  private request(end: SocketEnd, data: Uint8Array, files: readonly OpenFile[]): void {
    if (this.process.end) return;
    const [request, ...fields] = fieldsOf(data);
    if (request === Protocol.SPAWN_REQUEST) {
      this.spawn(end, fields, files);
      return;
    }
    for (const file of files) file.drop();
    const begun = String(Math.round(this.kernel.clock.now * 1e6));
    let pid = Number(fields[0]);
    if (request === Protocol.ADOPT_REQUEST) {
      pid = Number(fields[1]);
      this.adopt(pid, fields[0] === 'exec' ? begun : undefined);
    } else if (request === Protocol.WATCH_REQUEST) {
      pid = Number(fields[1]);
      this.watch(pid, fields[0] === 'exec' ? fields[2] : undefined);
    } else if (request === Protocol.FORGET_REQUEST) this.forget(pid);
    end.send(`pid ${pid} ${begun}\0`);
  }

  private spawn(end: SocketEnd, [flags, sync, kind, , ...places]: string[], files: readonly OpenFile[]): void {
    const cgroup = files[places.indexOf('cgroup')];
    const inside = new Map(files.map((file, i) => [Number(places[i]), file]));
    const process = this.kernel.processes.add({
      name: 'runt-init',
      parent: this.process.pid,
      ...(cgroup?.inode && { cgroups: [cgroup.inode] }),
    });
    for (const [fs, directory] of this.process.cgroups)
      if (!process.cgroups.has(fs)) process.cgroups.set(fs, directory);
    files.forEach((file, i) => {
      if (places[i] === 'image' || places[i] === 'cgroup') file.drop();
      else process.files.push(file);
    });
    this.startedOne = true;
    this.children.push({ process, record: kind === 'init' ? EXIT_RECORD : undefined });
    const channel = inside.get(Number(sync));
    if (!(channel instanceof SocketEnd)) throw new Error('runt-init has no channel');
    const init = new ScriptedInit(
      this.kernel,
      process,
      channel,
      (fd) => inside.get(fd),
      this.steps(),
      BigInt(flags ?? 0),
    );
    this.started(init);
    end.send(`pid ${process.pid}\0`, [this.kernel.processes.pidfd(process)]);
  }

  private adopt(pid: number, begun: string | undefined): void {
    const process = this.kernel.processes.get(pid);
    if (process?.parent !== this.process.pid) throw new Error(`process ${pid} is not a child of the supervisor`);
    let child = this.children.find((one) => one.process === process);
    if (!child) {
      child = { process, record: undefined };
      this.children.push(child);
    }
    child.record = begun === undefined ? EXIT_RECORD : `${Protocol.EXEC_RECORD}${pid}-${begun}.json`;
    const { startTime } = child.process;
    if (begun !== undefined) this.write(child.record, { running: true, pid, startTime });
  }

  /** A replacement supervisor watches it: the process is a child of another one. */
  private watch(pid: number, begun: string | undefined): void {
    const process = this.kernel.processes.get(pid);
    if (!process) return;
    const record = begun === undefined ? EXIT_RECORD : `${Protocol.EXEC_RECORD}${pid}-${begun}.json`;
    this.startedOne = true;
    this.children.push({ process, record });
  }

  private forget(pid: number): void {
    const child = this.children.find(({ process }) => process.pid === pid);
    if (child?.record) this.stateDir?.entries?.delete(child.record);
    if (child) child.record = undefined;
  }

  private write(name: string, value: object): void {
    const { stateDir, kernel } = this;
    if (!stateDir || stateDir.removed) return;
    const inode = kernel.tree.inode(S_IFREG | 0o600, stateDir.fs);
    inode.data = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
    kernel.tree.link(stateDir, name, inode);
  }

  private ended(process: FakeProcess): void {
    const at = this.children.findIndex((child) => child.process === process);
    if (at < 0 || this.process.end || !process.end) return;
    const [child] = this.children.splice(at, 1);
    const { code, status } = process.end;
    const killed = code !== CLD_EXITED;
    if (child?.record) {
      this.write(child.record, {
        pid: process.pid,
        status: killed ? 128 + status : status,
        signal: killed ? status : 0,
        exitedAtNs: '1700000005000000000',
        oom: false,
      });
    }
    if (this.children.length === 0) this.process.exit(0);
  }
}

/** The supervisors and runt-inits that a script has started, in order. */
interface Supervision {
  readonly supervisors: TaskSupervisor[];
  readonly inits: ScriptedInit[];
}

/** Makes each started runt-init a supervisor, whose children perform the steps of the script. */
export function superviseInits(kernel: FakeKernel, script: Script): Supervision {
  const supervision: Supervision = { supervisors: [], inits: [] };
  const { supervisors, inits } = supervision;
  const steps = () => (typeof script === 'function' ? script(inits.length) : script);
  kernel.processes.init = (child) => {
    supervisors.push(new TaskSupervisor(kernel, child, (init) => inits.push(init), steps));
    return undefined;
  };
  return supervision;
}
