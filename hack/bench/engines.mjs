/** Engines that run a container by a runtime: podman, and containerd with ctr. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
// The deadlines of a program that answers when it likes.
import { setTimeout as sleep } from 'node:timers/promises';
import { which } from './machine.mjs';

/** Says which row is left out, and returns undefined. */
function missing(row, program) {
  process.stdout.write(`bench: ${row} is left out: ${program} is not in PATH\n`);
  return undefined;
}

/** `podman run --rm` with storage of its own and without an image; undefined without podman. */
export function podman(work, rootfs) {
  const program = which('podman');
  if (!program) return missing('podman run --rm', 'podman');
  const [storage, state] = ['storage', 'state'].map((name) => join(work, 'podman', name));
  const flags = ['--root', storage, '--runroot', state, '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs'];
  // Its default for root may be above the limits of this process.
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000'];
  return (runtime) => [
    [program, ...flags, '--events-backend', 'none', '--runtime', runtime, 'run', '--rm', '--log-driver', 'none'].concat(
      [...['--name', '%i', '--network', 'none', ...limits, '--rootfs', rootfs, '/true']],
    ),
  ];
}

/** A containerd for this bench alone: it needs `containerd`, `ctr` and the runc shim. */
export class Containerd {
  /** Starts it, and waits for its socket. @returns undefined, with the reason on stdout, if that fails */
  static async start(work, runt) {
    const row = 'ctr run --rm';
    for (const name of ['containerd', 'ctr', 'containerd-shim-runc-v2']) if (!which(name)) return missing(row, name);
    const dir = join(work, 'containerd');
    mkdirSync(dir);
    const config = join(dir, 'config.toml');
    // Not `s`: the shims make a directory of that name beside it.
    const socket = join(dir, 'socket');
    writeFileSync(
      config,
      `version = 2
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing"]
[grpc]
address = "${socket}"
`,
    );
    const log = openSync(join(dir, 'log'), 'a');
    const child = spawn(which('containerd'), ['--config', config], {
      stdio: ['ignore', log, log],
      // containerd finds the shim of runt, beside the command, by its name.
      env: { PATH: `${dirname(runt)}:${process.env.PATH}` },
    });
    const started = new Containerd(child, socket);
    for (let n = 0; n < 300 && child.exitCode === null; n++) {
      if (existsSync(socket) && spawnSync(which('ctr'), ['--address', socket, 'version']).status === 0) return started;
      // Until containerd listens, for at most 30 s.
      await sleep(100);
    }
    process.stdout.write(`bench: ${row} is left out: containerd does not answer; its log is ${dir}/log\n`);
    await started.stop();
    return undefined;
  }

  constructor(child, socket) {
    Object.assign(this, { child, socket, ended: new Promise((resolve) => child.once('exit', resolve)) });
  }

  /** `ctr run --rm` of a root file system, with flags that choose the runtime. */
  run(rootfs, ...flags) {
    return [[which('ctr'), '--address', this.socket, 'run', '--rm', ...flags, '--rootfs', rootfs, '%i', '/true']];
  }

  async stop() {
    this.child.kill('SIGTERM');
    await Promise.race([this.ended, sleep(10_000)]);
    this.child.kill('SIGKILL');
  }
}
