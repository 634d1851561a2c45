/** The programs of docs/recipes/jobs.md, each as the page has it: what they print, and that they leave nothing. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { program } from './page-program.js';

const test = needing('jobs of the library', 'root');

/** Starts a program of the page. */
function started(bed: Bed, heading: string) {
  mkdirSync(join(bed.rootfs, 'tmp'), { recursive: true });
  const path = program(bed, 'jobs.md', heading);
  const child = spawn(process.execPath, [path], { timeout: COMMAND_LIMIT });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<{ code: number | null; lines: string[]; stderr: string }>((settle) => {
    child.on('close', (code) => settle({ code, lines: stdout.trimEnd().split('\n'), stderr }));
  });
  return { child, ended, stdout: () => stdout };
}

const leavesNothing = (bed: Bed): void => assert.is(bed.runt(['list', '-q']).stdout, '');

test(
  'of twenty jobs one reaches its deadline and one fails',
  onBed(async (bed) => {
    const result = await started(bed, 'Twenty jobs with deadlines').ended;
    assert.equal(result, { code: 1, lines: ['job 7: ERR_TIMEOUT', 'job 13: status 1'], stderr: '' });
    leavesNothing(bed);
  }),
);

test(
  'a service is tested once its port is open, and is removed',
  onBed(async (bed) => {
    const result = await started(bed, 'A service and the test of it').ended;
    assert.equal(result, { code: 0, lines: ['42, status 0'], stderr: '' });
    leavesNothing(bed);
  }),
);

test(
  'the lines of a matrix have the names of its cells',
  onBed(async (bed) => {
    const { code, lines, stderr } = await started(bed, 'A matrix with prefixed logs').ended;
    assert.equal([code, stderr], [1, '']);
    assert.is(lines.pop(), 'alpine-20 failed with status 1');
    const testing = ['alpine-18', 'alpine-20', 'debian-18', 'debian-20'].map((name) => `${name}: testing`);
    assert.equal(lines.sort(), [...testing, 'alpine-20: broken'].sort());
    leavesNothing(bed);
  }),
);

test(
  'Ctrl-C ends all jobs, and the program reports them',
  onBed(async (bed) => {
    const side = started(bed, 'Ctrl-C in the middle');
    await eventually('all jobs run', () => side.stdout().split('has started').length === 4);
    side.child.kill('SIGINT');
    const { code, lines, stderr } = await side.ended;
    assert.equal([code, stderr], [130, '']);
    assert.equal(lines.slice(3), ['east: ERR_ABORTED', 'west: ERR_ABORTED', 'north: ERR_ABORTED']);
    leavesNothing(bed);
  }),
);

test.run();
