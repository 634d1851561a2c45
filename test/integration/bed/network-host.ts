/** Network namespaces of a test's own that stand for a host with an uplink, and for a machine outside. */
import { execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import type { Bed } from './bed.js';
import { eventually } from './bed.js';

/** The address of the machine outside. It has no route to the networks of containers. */
export const outsideAddress = '198.51.100.1';

const keeper = (...flags: string[]) =>
  spawn('unshare', [...flags, '--propagation', 'private', 'sleep', '1000'], { stdio: 'ignore' });

export class NetworkHost {
  readonly #host = keeper('-n', '-m');
  readonly #outside = keeper('-n', '-m');
  readonly #servers: ReturnType<typeof spawn>[] = [];

  /** @param bed its directory has the device tun, for everybody, in the namespace only */
  async ready(bed: Bed): Promise<void> {
    for (const { pid } of [this.#host, this.#outside]) {
      await eventually('the namespaces', () =>
        ['net', 'mnt'].every(
          (type) => readlinkSync(`/proc/${pid}/ns/${type}`) !== readlinkSync(`/proc/self/ns/${type}`),
        ),
      );
    }
    this.sh(`mount -t tmpfs tmpfs /run
      mknod -m 666 /run/tun c 10 200 && chmod 666 /run/tun && mount --bind /run/tun /dev/net/tun
      ip link set lo up
      ip link add up0 type veth peer name out0 netns ${this.#outside.pid}
      ip addr add 198.51.100.2/24 dev up0
      ip link set up0 up
      ip route add default via ${outsideAddress}`);
    const outside = `ip link set lo up; ip addr add ${outsideAddress}/24 dev out0; ip link set out0 up`;
    execFileSync('nsenter', [...this.#enter(this.#outside.pid), 'sh', '-ec', outside]);
    const server = ['busybox', 'httpd', '-f', '-p', '80', '-h', bed.rootfs];
    this.#servers.push(spawn('nsenter', [...this.#enter(this.#outside.pid), ...server], { stdio: 'ignore' }));
  }

  #enter(pid: number | undefined): string[] {
    return ['-t', String(pid), '-n', '-m'];
  }

  /** A process on this host. */
  get pid(): number {
    return this.#host.pid!;
  }

  /** A prefix for `wrapped`: runs the command on this host. */
  get wrapped(): string[] {
    return ['nsenter', ...this.#enter(this.#host.pid)];
  }

  /** Runs a shell script on this host and returns its stdout. */
  sh(script: string): string {
    const [program = '', ...args] = this.wrapped;
    return execFileSync(program, [...args, 'sh', '-ec', script], { encoding: 'utf8' });
  }

  end(): void {
    for (const child of [...this.#servers, this.#host, this.#outside]) child.kill('SIGKILL');
  }
}
