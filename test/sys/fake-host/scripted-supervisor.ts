/** A scripted supervisor: it answers requests as native/init/supervisor does, and records the exits of its children. */
import { E } from '../../../src/sys/errno.js';
import { CLD_EXITED } from '../../../src/sys/linux.js';
import { Protocol } from '../../../src/sys/protocol.js';
import type { OpenFile } from './descriptors.js';
import type { FakeKernel } from './fake-kernel.js';
import type { FakeProcess } from './processes.js';
import { type Script, ScriptedInit, type Step, scriptInit, stepsOf } from './scripted-init.js';
import { SocketEnd } from './sockets.js';

interface Child {
  kind: string;
  begun: string;
}

export class ScriptedSupervisor {
  /** The requests so far: their kinds and the fields after them. */
  readonly requests: (readonly string[])[] = [];
  /** The runt-inits that it has started for the runtime. */
  readonly inits: ScriptedInit[] = [];
  /** Refuses requests of a kind with this errno; 0: it ends without an answer. */
  readonly refuses = new Map<string, number>();
  private readonly children = new Map<number, Child>();
  private begun = 5000;
  private readonly directory: string;

  constructor(
    private readonly kernel: FakeKernel,
    readonly init: ScriptedInit,
    /** The steps of the next process that it starts. */
    private readonly next: () => readonly Step[],
  ) {
    const [, listener, dir, heir] = init.frame;
    const [socket, state] = [init.files(Number(listener)), init.files(Number(dir))];
    if (!socket || !state?.inode) throw new Error('the supervisor has no listener or no state directory');
    this.isHeir = heir === '1';
    this.directory = state.inode.path;
    kernel.sockets.serve(socket, (end) => this.serve(end));
    this.serve(init.sync);
    kernel.processes.onChange.push((process, gone) => {
      if (gone) this.ended(process);
    });
    init.process.name = 'supervisor';
    init.report('created');
  }

  readonly isHeir: boolean;

  get process(): FakeProcess {
    return this.init.process;
  }

  private serve(end: SocketEnd): void {
    end.onMessage = () => {
      const message = end.receive(1 << 20);
      if (typeof message === 'number' || this.process.end) return;
      const [kind = '', ...fields] = new TextDecoder().decode(message.data).split('\0').slice(0, -1);
      this.requests.push([kind, ...fields]);
      const errno = this.refuses.get(kind);
      if (errno === undefined) this.answer(end, kind, fields, message.files);
      else if (errno > 0) end.send(`error ${errno} clone3\0`);
      for (const file of message.files) file.drop();
      if (errno === 0) end.drop();
    };
    // Its end of the channel is closed with the process.
    if (end !== this.init.sync) end.onHangUp = () => end.drop();
    else end.onHangUp = () => {};
  }

  private answer(end: SocketEnd, kind: string, fields: readonly string[], files: readonly OpenFile[]): void {
    const { processes } = this.kernel;
    switch (kind) {
      case Protocol.SPAWN_REQUEST: {
        const process = this.spawn(fields, files);
        end.send(`pid ${process.pid}\0`, [processes.pidfd(process)]);
        break;
      }
      case Protocol.ADOPT_REQUEST: {
        const [as = '', pid = ''] = fields;
        const process = processes.get(Number(pid));
        if (!process || process.end) {
          end.send(`error ${E.ESRCH}\0`);
          break;
        }
        const begun = as === 'exec' ? String(++this.begun) : '';
        this.children.set(Number(pid), { kind: as, begun });
        if (as === 'exec')
          this.write(`exec-${pid}-${begun}.json`, { running: true, pid: process.pid, startTime: process.startTime });
        end.send(`pid ${pid}${begun && ` ${begun}`}\0`);
        break;
      }
      case Protocol.FORGET_REQUEST: {
        const [pid = '', begun = ''] = fields;
        this.children.delete(Number(pid));
        this.kernel.tree.at(this.directory)?.entries?.delete(`exec-${pid}-${begun}.json`);
        end.send(`pid ${pid}\0`);
        break;
      }
      case Protocol.WATCH_REQUEST:
        this.children.set(Number(fields[1]), { kind: fields[0] ?? '', begun: fields[2] ?? '' });
        end.send(`pid ${fields[1]}\0`);
        break;
      case Protocol.UNREAD_REQUEST:
        end.send(`pid ${fields[0]}\0`);
        break;
      default:
        end.send(`error ${E.EBADMSG}\0`);
    }
  }

  private spawn(fields: readonly string[], files: readonly OpenFile[]): FakeProcess {
    const [, sync, kind = '', , ...places] = fields;
    const { processes } = this.kernel;
    const at = places.indexOf('cgroup');
    const cgroup = at < 0 ? undefined : files[at]?.inode;
    const process = processes.add({
      name: 'runt-init',
      parent: this.process.pid,
      ...(cgroup && { cgroups: [cgroup] }),
    });
    const inside = new Map<number, OpenFile>();
    places.forEach((place, i) => {
      const file = files[i];
      if (file && /^\d+$/.test(place)) inside.set(Number(place), file.hold());
    });
    process.files = [...inside.values()];
    const end = inside.get(Number(sync));
    if (!(end instanceof SocketEnd)) throw new Error('a request without a channel');
    this.children.set(process.pid, { kind, begun: '' });
    this.inits.push(new ScriptedInit(this.kernel, process, end, (fd) => inside.get(fd), this.next()));
    return process;
  }

  private ended({ pid, end }: FakeProcess): void {
    const child = this.children.get(pid);
    if (!child || !end || this.process.end) return;
    this.children.delete(pid);
    const signal = end.code === CLD_EXITED ? 0 : end.status;
    const record = {
      pid,
      status: signal ? 128 + signal : end.status,
      signal,
      exitedAtNs: '1700000000000000000',
      oom: false,
    };
    if (child.kind === 'init') this.write(Protocol.EXIT_RECORD, record);
    if (child.kind === 'exec' && child.begun) this.write(`exec-${pid}-${child.begun}.json`, record);
    if (child.kind === 'init') this.process.exit(0);
  }

  private write(name: string, record: object): void {
    if (this.kernel.tree.at(this.directory)) this.kernel.tree.file(`${this.directory}/${name}`, JSON.stringify(record));
  }
}

/** Makes each started runt-init a supervisor, whose children perform the script. */
export function scriptSupervisor(kernel: FakeKernel, script: Script): ScriptedSupervisor[] {
  const started: ScriptedSupervisor[] = [];
  let n = 0;
  const next = (): readonly Step[] => stepsOf(script, n++);
  scriptInit(kernel, script, (init) => started.push(new ScriptedSupervisor(kernel, init, next)));
  return started;
}
