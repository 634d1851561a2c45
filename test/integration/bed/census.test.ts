/** The census finds each kind of leak. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Census } from '../../leaks/census.js';
import { eventually, needing, onBed } from './bed.js';

const test = needing('census', 'root', 'cgroups');

test(
  'a container is found by its cgroups, processes, keyring and state, and after its end nothing is',
  onBed(async (bed) => {
    mkdirSync(bed.root);
    const census = new Census({ marks: [bed.mark], directories: [bed.root] });
    assert.equal(census.growth(), []);
    bed.started();
    const found = census.growth().map((line) => line.split(':')[0]);
    for (const kind of ['cgroups', 'processes', 'keyrings', `entries of ${bed.root}`])
      assert.ok(found.includes(kind), kind);
    assert.is(bed.delete('--force').code, 0);
    await census.balances();
  }),
);

test(
  'a descriptor, memory and a zombie of a process are found',
  onBed(async (bed) => {
    const census = new Census({ pids: [process.pid] });
    const file = join(bed.dir, 'file');
    const fd = openSync(file, 'w');
    const memory = Buffer.alloc(16 << 20, 1);
    assert.match(census.growth().join('\n'), /descriptors of process/);
    assert.match(census.growth().join('\n'), /kB of process/);
    assert.is(memory.length, 16 << 20);
    closeSync(fd);
    rmSync(file);
    // The child ends with its input, when its parent is a program that does not wait for it.
    const script = 'exec 3<&0; (read line <&3) & exec sleep 1000';
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
    await eventually('the program', () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n');
    const other = new Census({ pids: [parent.pid!] });
    parent.stdin.end();
    await eventually('a zombie is found', () => other.growth().some((line) => line.startsWith('zombies')));
    parent.kill('SIGKILL');
  }),
);

test.run();
