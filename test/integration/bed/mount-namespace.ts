/** A mount namespace of a test's own that stands for the host: other processes do not see its mounts. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { eventually } from './bed.js';
import { runtPath } from './place.js';

export class MountNamespace {
  readonly #keeper = spawn('unshare', ['-m', '--propagation', 'private', 'sleep', '1000'], { stdio: 'ignore' });

  /** Waits until the namespace exists. */
  async ready(): Promise<void> {
    await eventually('the mount namespace', () => {
      const [there, here] = [this.#keeper.pid, 'self'].map((p) => readlinkSync(`/proc/${p}/ns/mnt`));
      return there !== here;
    });
  }

  /** Runs a shell script in the namespace and returns its stdout. */
  sh(script: string, cwd?: string): string {
    const pid = String(this.#keeper.pid);
    return execFileSync('nsenter', ['-t', pid, '-m', 'sh', '-ec', script], { encoding: 'utf8', cwd });
  }

  /** Writes a script to `path` that runs `program`, quoted for the shell, in the namespace. @returns path */
  program(path: string, program = `'${runtPath}'`): string {
    writeFileSync(path, `#!/bin/sh\nexec nsenter -t ${this.#keeper.pid} -m ${program} "$@"\n`, { mode: 0o755 });
    return path;
  }

  get mountinfo(): string {
    return readFileSync(`/proc/${this.#keeper.pid}/mountinfo`, 'utf8');
  }

  end(): void {
    this.#keeper.kill('SIGKILL');
  }
}

/** A prefix for `wrapped`: runs the command in a mount namespace of its own, after a shell script that mounts there. */
export const mounting = (script: string): string[] => [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-c',
  `${script}; exec "$@"`,
  'sh',
];

interface Stage {
  ready(): Promise<void>;
  /** `quiet`: do not throw, because a failure is reported already. */
  end(quiet: boolean): void;
}

/** Runs a test's body on a stage of its own, and removes the stage afterwards. */
export function onStage<S extends Stage>(make: () => S, body: (stage: S) => void): () => Promise<void> {
  return async () => {
    const stage = make();
    let failed = true;
    try {
      await stage.ready();
      body(stage);
      failed = false;
    } finally {
      stage.end(failed);
    }
  };
}
