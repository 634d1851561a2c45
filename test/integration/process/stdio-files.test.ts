/** `--stdin`, `--stdout` and `--stderr` of `run` and `exec`: files and the journal as streams. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { eventually, needing, ok, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('stdio files', 'root');
const journal = needing('output to the journal', 'root', 'mount', 'unshare');

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
    assert.match(
      bed.sh('true', ['--stdout', fifo]).stderr,
      /open .*fifo for --stdout: it is not a regular file\n {2}fix/,
    );
    assert.match(bed.sh('true', ['--stdin', join(bed.dir, 'none')]).stderr, /open .*none for --stdin: ENOENT/);
    assert.match(bed.sh('true', ['--stdout', bed.dir]).stderr, /for --stdout: EISDIR/);
    bed.config.process.terminal = true;
    const r = bed.sh('true', ['-d', '--stdout', 'null']);
    assert.match(r.stderr, /the process has a terminal, so its streams cannot be files/);
  }),
);

test(
  'exec has files as its streams, detached and in the foreground, with and without a supervisor',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    for (const flags of [[], ['--supervise']]) {
      const [input, output] = [join(bed.dir, 'in'), join(bed.dir, `out${flags.length}`)];
      writeFileSync(input, 'hello\n');
      ok(bed.run(['-d', ...flags, '--stdin', 'null', '--stdout', 'null', '--stderr', 'null']));
      const files = ['--stdin', input, '--stdout', output, '--stderr', output];
      const script = 'cat; echo error >&2';
      const r = bed.runt(['exec', ...files, bed.id, '/bin/sh', '-c', script]);
      assert.equal([r.code, r.stdout, r.stderr], [0, '', '']);
      assert.is(readFileSync(output, 'utf8'), 'hello\nerror\n');
      const detached = `x=$(${runtPath} --root ${bed.root} exec -d ${files.join(' ')} ${bed.id} sh -c '${script}; sleep 1000')`;
      const { stdout, stderr, status } = spawnSync('sh', ['-c', `${detached}; echo "got $x"`], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      assert.equal([status, stdout, stderr], [0, 'got \n', '']);
      await eventually('the output', () => readFileSync(output, 'utf8') === 'hello\nerror\n'.repeat(2));
      const terminal = bed.runt(['exec', '-d', '--tty', '--stdout', output, bed.id, 'true']);
      assert.match(terminal.stderr, /exec \S+: the process has a terminal, so its streams cannot be files/);
      ok(bed.delete('--force'));
    }
  }),
);

/** Runs a command where this directory is /run/systemd/journal. */
const withJournal = (directory: string): string[] => {
  const mounts = `mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind ${directory} /run/systemd/journal`;
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', `${mounts} && exec "$@"`, 'sh'];
};

journal(
  'output goes to the journal in its stream protocol, under the id of the container',
  onBed(async (bed) => {
    const directory = join(bed.dir, 'journal');
    mkdirSync(directory);
    const texts: string[] = [];
    const server = createServer((connection) => {
      const i = texts.push('') - 1;
      connection.on('data', (data: Buffer) => {
        texts[i] = `${texts[i]}${data}`;
      });
    }).listen(join(directory, 'stdout'));
    try {
      bed.config.process.args = ['/bin/sh', '-c', 'echo out; echo err >&2'];
      bed.write();
      const wrapped = withJournal(directory);
      const flags = ['--stdin', 'null', '--stdout', 'journal', '--stderr', 'journal'];
      const run = await bed.spawn(['run', ...flags, '--bundle', bed.bundle, bed.id], { wrapped }).exit;
      assert.equal([run.code, run.stdout, run.stderr], [0, '', '']);
      const head = `${bed.id}\n\n6\n1\n0\n0\n0\n`;
      await eventually('the lines', () => texts.join('').length >= 2 * head.length + 8);
      assert.equal(texts.sort(), [`${head}err\n`, `${head}out\n`]);
    } finally {
      server.close();
    }
    const gone = bed.runt(['run', '--stdout', 'journal', '--bundle', bed.bundle, bed.id], {
      wrapped: withJournal(bed.bundle),
    });
    assert.match(gone.stderr, /connect --stdout to the journal at \/run\/systemd\/journal\/stdout: ENOENT/);
    assert.match(bed.sh('true', ['--stdin', 'journal']).stderr, /--stdin cannot be journal/);
  }),
);

test.run();
journal.run();
