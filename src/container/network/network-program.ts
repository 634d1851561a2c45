/** Programs that connect a container: run to their end, with a deadline and an environment of their own. */
import { concatenate } from '../../sys/append.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdPair } from '../../sys/fds.js';
import { callApart, host, native } from '../../sys/host.js';
import { SIGKILL, X_OK } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { forget, now, readable, readableOrPolled, withTimeout } from '../../sys/waiting/loop.js';
import { killedProcessTime, networkProgramTime } from '../../sys/waiting/time-limits.js';
import { endOf, type ProcessEnd } from '../launch/child-end.js';

interface ProgramCall {
  /** The absolute path, then the arguments. */
  readonly args: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Waits until no process has the output open, too: a program that the called one leaves behind reports by it. */
  readonly untilClosed?: boolean;
}

export interface ProgramOutput {
  readonly end: ProcessEnd;
  readonly stdout: string;
  readonly stderr: string;
}

/** Plugins find iptables and nft by it; the caller's may be empty. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The result of a CNI plugin has some KB. */
const maxOutput = 1 << 20;

/** The absolute path of a program of the host; undefined if it is not installed. */
export const findProgram = (name: string): string | undefined =>
  PATH.split(':')
    .map((directory) => `${directory}/${name}`)
    .find((path) => native.access(path, X_OK) === 0);

/**
 * Runs a program in `/` with exactly `env` and PATH. It leads a session: the deadline kills its process group.
 * @throws RuntError ERR_NETWORK if it cannot be executed or does not end in time
 */
export async function runProgram(what: string, call: ProgramCall): Promise<ProgramOutput> {
  const { args, env = {}, input = '' } = call;
  const facts = { code: 'ERR_NETWORK', message: `${what}: run ${args[0]}`, path: args[0] };
  const stdin = check(native.sealedFile(host.encode(input)), facts);
  const [stdout, stderr] = [new Collected(facts), new Collected(facts)];
  let pidfd = -1;
  try {
    const environment = Object.entries({ PATH, ...env }).map(([name, value]) => `${name}=${value}`);
    const out = new Uint8Array(8);
    const pid = await callApart(
      'spawnHook',
      args[0],
      nulList([...args]),
      nulList(environment),
      '/',
      stdin,
      stdout.theirs,
      stderr.theirs,
      out,
    );
    stdout.closeTheirs();
    stderr.closeTheirs();
    check(pid, { ...facts, syscall: 'execve' });
    pidfd = new DataView(out.buffer).getInt32(0, true);
    const deadline = now() + networkProgramTime;
    const kill = (): unknown => native.signalGroup(pid, SIGKILL);
    const listening = [stdout.listen(kill), stderr.listen(kill)];
    let ended = await readableOrPolled(pidfd, networkProgramTime);
    if (ended && call.untilClosed) ended = await stdout.closed(deadline - now());
    if (!ended) kill();
    await readableOrPolled(pidfd, killedProcessTime);
    const end = endOf(pidfd);
    stdout.stop();
    stderr.stop();
    await Promise.all(listening);
    if (stdout.isTooLong || stderr.isTooLong) {
      throw new RuntError({ ...facts, message: `${facts.message}: it wrote more than ${maxOutput} bytes` });
    }
    if (!ended) {
      throw new RuntError({
        ...facts,
        message: `${facts.message}: it did not end within ${networkProgramTime / 1000} s`,
      });
    }
    return { end, stdout: stdout.text, stderr: stderr.text };
  } finally {
    native.close(stdin);
    if (pidfd >= 0) native.close(pidfd);
    stdout.close();
    stderr.close();
  }
}

/** The output of a program. */
class Collected {
  theirs: number;
  isTooLong = false;
  private readonly ours: number;
  private readonly parts: Uint8Array[] = [];
  private length = 0;
  private isStopped = false;
  private isClosed = false;
  private listening: Promise<void> = Promise.resolve();

  constructor(facts: { readonly code: string; readonly message: string }) {
    const ends = new Uint8Array(16);
    check(native.pipe(ends), { ...facts, syscall: 'pipe2' });
    [this.ours, this.theirs] = fdPair(ends);
  }

  /** Reads until every writer has closed it, or `stop` is called. @param tooLong called instead of reading on */
  listen(tooLong: () => void): Promise<void> {
    this.listening = this.read(tooLong);
    return this.listening;
  }

  private async read(tooLong: () => void): Promise<void> {
    for (;;) {
      const chunk = new Uint8Array(4096);
      const n = native.read(this.ours, chunk);
      if (n > 0) {
        this.parts.push(chunk.subarray(0, n));
        this.length += n;
        // One that writes without end would keep this loop from the deadline.
        this.isTooLong = this.length > maxOutput;
        if (this.isTooLong) return tooLong();
      } else if (n !== -E.EAGAIN || this.isStopped) {
        this.isClosed = n !== -E.EAGAIN;
        return;
      } else await readable(this.ours).catch(() => this.stop());
    }
  }

  /** Waits until every writer has closed it; false after `timeout` ms. */
  async closed(timeout: number): Promise<boolean> {
    await withTimeout(this.listening, Math.max(0, timeout));
    return this.isClosed;
  }

  /** Reads what has arrived, and does not wait for more. */
  stop(): void {
    this.isStopped = true;
    forget(this.ours);
  }

  get text(): string {
    const all = concatenate(this.parts);
    return host.decodeRaw(all, all.length);
  }

  closeTheirs(): void {
    if (this.theirs >= 0) native.close(this.theirs);
    this.theirs = -1;
  }

  close(): void {
    this.closeTheirs();
    native.close(this.ours);
  }
}
