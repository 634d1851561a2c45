/**
 * Arguments, variables and paths that are not UTF-8: their bytes reach the process unchanged, or the error names them.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('not-utf8', 'root');

/** A shell that executes the given command with the arguments of `more`, in which `$raw` is `a\xffb`. */
const withRaw = (more: string): readonly string[] => ['sh', '-c', `raw=$(printf 'a\\377b'); exec "$@" ${more}`, 'sh'];
const hex = `printf %s "$1" | od -An -tx1 | tr -d ' \\n'`;

test(
  'an argument and a variable of exec reach the process with their bytes',
  onBed((bed) => {
    bed.started();
    const argument = bed.runt(['exec', bed.id, 'sh', '-c', hex, 'sh'], { wrapped: withRaw('"$raw"') });
    assert.equal([argument.stderr, argument.stdout], ['', '61ff62']);
    const variable = bed.runt(['exec'], {
      wrapped: withRaw(`-e "A=$raw" --cwd / ${bed.id} sh -c 'printf %s "$A" | od -An -tx1 | tr -d " \\n"'`),
    });
    assert.equal([variable.stderr, variable.stdout], ['', '61ff62']);
    bed.delete('--force');
  }),
);

test(
  'a bundle whose path is not UTF-8 runs, as the current directory and as an argument',
  onBed((bed) => {
    bed.config.process.args = ['echo', 'ran'];
    bed.write();
    const named = Buffer.concat([Buffer.from(join(bed.dir, 'a')), Buffer.from([0xff, 0x62])]);
    mkdirSync(named);
    renameSync(bed.bundle, Buffer.concat([named, Buffer.from('/bundle')]));
    try {
      const cwd = bed.runt(['run', bed.id], {
        wrapped: ['sh', '-c', `cd "${bed.dir}/$(printf 'a\\377b')/bundle" && exec "$@"`, 'sh'],
      });
      assert.equal([cwd.stderr, cwd.stdout], ['', 'ran\n']);
      const flag = bed.runt(['run'], { wrapped: withRaw(`-b "${bed.dir}/$raw/bundle" ${bed.id}`) });
      assert.equal([flag.stderr, flag.stdout], ['', 'ran\n']);
      // start and delete read the path from the state that create wrote.
      const create = bed.runt(['create'], { wrapped: withRaw(`-b "${bed.dir}/$raw/bundle" ${bed.id}`) });
      assert.equal([create.code, create.stderr], [0, '']);
      assert.is(bed.state().bundle, `${bed.dir}/a\udcffb/bundle`);
      assert.is(bed.start().code, 0);
      bed.until('stopped');
      assert.is(bed.delete().code, 0);
    } finally {
      renameSync(Buffer.concat([named, Buffer.from('/bundle')]), bed.bundle);
    }
  }),
);

test(
  'a document that is not UTF-8 is refused',
  onBed((bed) => {
    bed.started();
    const file = join(bed.dir, 'document.json');
    const write = (text: string) => writeFileSync(file, Buffer.from(text.replace('RAW', 'a\xffb'), 'latin1'));
    write('{"args":["echo","RAW"],"cwd":"/"}');
    const exec = bed.runt(['exec', '--process', file, bed.id]);
    assert.is(exec.code, 255);
    assert.match(exec.stderr, `${file} is not UTF-8`);
    write('{"unified":{"memory.max":"RAW"}}');
    for (const source of [file, '-']) {
      const update = bed.runt(['update', '--resources', source, bed.id], {
        wrapped: ['sh', '-c', `exec "$@" < ${file}`, 'sh'],
      });
      assert.is(update.code, 1);
      assert.match(update.stderr, `${source === '-' ? 'standard input' : file} is not UTF-8`);
    }
    bed.delete('--force');
  }),
);

test(
  'a config with an escaped lone surrogate is refused',
  onBed((bed) => {
    bed.config.process.args = ['echo', 'a\udcffb'];
    const { code, stderr } = bed.run();
    assert.is(code, 1);
    assert.match(stderr, '/process/args/1 must be text without lone surrogates');
  }),
);

test(
  'errors of runt-init and JSON output show bytes that are not UTF-8 as escapes',
  onBed((bed) => {
    bed.started();
    const program = bed.runt(['exec', bed.id], { wrapped: withRaw('"$raw"') });
    assert.match(program.stderr, 'exec "a\\xffb": executable file not found in $PATH (a\\xffb): ENOENT');
    assert.not.match(program.stderr, '\ufffd');
    assert.not.match(program.stderr, 'udcff');
    const cwd = bed.runt(['exec'], { wrapped: withRaw(`--cwd "/none/$raw/x" ${bed.id} true`) });
    assert.not.match(cwd.stderr, '\ufffd');
    const id = bed.runt(['state'], { wrapped: withRaw('"$raw"') });
    assert.match(id.stderr, 'invalid container ID format: "a\\xffb"');
    // A text that looks like such an escape is shown differently.
    assert.match(bed.runt(['state', 'a\\udcffb']).stderr, 'invalid container ID format: "a\\\\udcffb"');
    bed.delete('--force');
  }),
);

test(
  'ps prints the arguments of a process as ps(1) does',
  onBed((bed) => {
    bed.started();
    const raw = `sh -c 'exec "$@"' sh sh -c 'while :; do sleep 1; done'`;
    assert.is(bed.runt(['exec', '--detach', bed.id], { wrapped: withRaw(`${raw} "$raw"`) }).code, 0);
    const { stdout } = bed.runt(['ps', bed.id, '-o', 'pid,args'], {
      wrapped: ['sh', '-c', 'LC_ALL=C.UTF-8; export LC_ALL; "$@" | od -An -tx1 | tr -d " \\n"', 'sh'],
    });
    assert.not.match(stdout, 'efbfbd');
    bed.delete('--force');
  }),
);

test(
  'the error of an unknown command shows bytes that are not UTF-8 as escapes',
  onBed((bed) => {
    const { code, stderr } = bed.runt([], { wrapped: withRaw('"$raw"') });
    assert.is(code, 1);
    assert.is(stderr, 'runt: unknown command a\\xffb\n');
  }),
);

test.run();
