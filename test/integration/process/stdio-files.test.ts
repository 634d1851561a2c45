/** `run --stdin`, `--stdout` and `--stderr`: files as the streams of a container. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { eventually, needing, ok, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('stdio files', 'root');

test(
  'a command substitution of a detached run returns at once, and the files have the output',
  onBed(async (bed) => {
    const [input, output] = [join(bed.dir, 'in'), join(bed.dir, 'out')];
    writeFileSync(input, 'hello\n');
    bed.config.process.args = ['/bin/sh', '-c', 'cat; echo error >&2; exec sleep 1000'];
    bed.write();
    const files = `--stdin ${input} --stdout ${output} --stderr ${output}`;
    const run = `${runtPath} --root ${bed.root} run -d ${files} --bundle ${bed.bundle} ${bed.id}`;
    const { stdout, status } = spawnSync('sh', ['-c', `x=$(${run}); echo "got $x"`], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal([status, stdout], [0, 'got \n']);
    await eventually('the output', () => readFileSync(output, 'utf8') === 'hello\nerror\n');
    assert.is(statSync(output).mode & 0o777, 0o600);
    ok(bed.delete('--force'));
  }),
);

test(
  'output is appended, null is /dev/null, and other streams are inherited',
  onBed((bed) => {
    const output = join(bed.dir, 'out');
    writeFileSync(output, 'before\n');
    const r = bed.sh('cat; echo out; echo err >&2', ['--stdin', 'null', '--stdout', output], { input: 'not read' });
    assert.equal([r.code, r.stdout, r.stderr], [0, '', 'err\n']);
    assert.is(readFileSync(output, 'utf8'), 'before\nout\n');
    assert.equal(bed.sh('echo out; readlink /proc/self/fd/2', ['--stderr', 'null']).stdout, 'out\n/dev/null\n');
    const supervised = bed.sh('echo out', ['--supervise', '--stdout', output]);
    assert.equal([supervised.code, supervised.stdout], [0, '']);
    assert.is(readFileSync(output, 'utf8'), 'before\nout\nout\n');
  }),
);

test(
  'what is not a regular file, cannot be opened, or would replace a terminal is refused',
  onBed((bed) => {
    const fifo = join(bed.dir, 'fifo');
    execFileSync('mkfifo', [fifo]);
    assert.match(
      bed.sh('true', ['--stdin', fifo]).stderr,
      /open .*fifo for --stdin: it is not a regular file\n {2}fix leave --stdin out/,
    );
    assert.match(bed.sh('true', ['--stdin', join(bed.dir, 'none')]).stderr, /open .*none for --stdin: ENOENT/);
    assert.match(bed.sh('true', ['--stdout', bed.dir]).stderr, /for --stdout: EISDIR/);
    bed.config.process.terminal = true;
    const r = bed.sh('true', ['-d', '--stdout', 'null']);
    assert.match(r.stderr, /the process has a terminal, so its streams cannot be files/);
  }),
);

test.run();
