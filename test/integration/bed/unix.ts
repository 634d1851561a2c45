/** Programs at the other end of a Unix socket, outside or inside a container: test/integration/programs/unix.c. */
import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bed, eventually } from './bed.js';
import { programs } from './place.js';

/** Copies the program into the bed's root file system, as /unix. */
export function addUnixProgram(bed: Bed): void {
  copyFileSync(join(programs, 'unix'), join(bed.rootfs, 'unix'));
}

export interface Listener {
  path: string;
  /** The lines that it has printed so far, without "ready". */
  lines(): string[];
  end(): void;
}

/** Starts `unix MODE PATH` and waits until it listens. The test must not block its own event loop meanwhile. */
export async function listen(bed: Bed, mode: 'datagrams' | 'pidfd', path = join(bed.dir, mode)): Promise<Listener> {
  const child = spawn(join(programs, 'unix'), [mode, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (d) => {
    text += d;
  });
  const lines = () => text.split('\n').filter(Boolean);
  await eventually(`${mode} are awaited`, () => lines()[0] === 'ready');
  return { path, lines: () => lines().slice(1), end: () => void child.kill('SIGKILL') };
}
