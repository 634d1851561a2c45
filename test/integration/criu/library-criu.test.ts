/** checkpoint() and restore() of the library: the request that a fake criu gets, and what becomes of the container. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { CgroupMode, type CriuOptions, Request, Type } from '../../../src/container/criu/criu-messages.js';
import type * as Library from '../../../src/library/index.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { programs } from '../bed/place.js';

const test = needing('library checkpoint', 'root', 'programs', 'cgroups');
const fake = join(programs, 'fake-criu');
const library = resolve('dist/index.js');
const { Runtime, RuntError } = (await import(library)) as typeof Library;

const none = "['ignore', 'ignore', 'ignore']";

/** Runs a script with `runtime`, `id`, `bundle` and `criu`, and returns its output and the request that criu got. */
async function script(bed: Bed, code: string, variables: Record<string, string> = {}) {
  const file = join(bed.dir, 'script.mjs');
  const request = join(bed.dir, 'request');
  const [root, id, bundle, criu] = [bed.root, bed.id, bed.bundle, fake].map((text) => JSON.stringify(text));
  writeFileSync(
    file,
    `import { Runtime } from ${JSON.stringify(library)};
     const [runtime, id, bundle, criu] = [new Runtime({ root: ${root} }), ${id}, ${bundle}, ${criu}];
     ${code}`,
  );
  // The fake criu reads the environment that this process began with.
  const env = { ...process.env, FAKE_OUT: request, ...variables };
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env, timeout: COMMAND_LIMIT });
  const { type, opts } = Request.decode(readFileSync(request));
  return { stdout, type, opts: opts as unknown as { [K in keyof CriuOptions]-?: NonNullable<CriuOptions[K]> } };
}

test(
  'checkpoint dumps the container with its options, which is deleted unless it is to continue',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const images = JSON.stringify(join(bed.dir, 'images'));
    const create = `const web = await runtime.create(id, bundle, { stdio: ${none} }); await web.start();`;
    const left = await script(
      bed,
      `${create}
       await web.checkpoint({ criu, imagePath: ${images}, leaveRunning: true, tcpEstablished: true, fileLocks: true,
         manageCgroupsMode: 'full', pageServer: { address: '10.1.2.3', port: 9999 } });
       console.log((await web.state()).status);`,
    );
    assert.is(left.stdout, 'running\n');
    assert.equal([left.type, left.opts.leave_running, left.opts.tcp_established], [Type.DUMP, true, true]);
    assert.equal([left.opts.file_locks, left.opts.manage_cgroups_mode], [true, CgroupMode.FULL]);
    assert.equal([left.opts.ps.address, left.opts.ps.port], ['10.1.2.3', 9999]);
    const ended = await script(
      bed,
      `await runtime.container(id).checkpoint({ criu, imagePath: ${images} });
       console.log((await runtime.list()).length);`,
    );
    assert.equal([ended.stdout, ended.opts.leave_running], ['0\n', false]);
  }),
);

test(
  'restore resolves with a running container that can be awaited and deleted',
  onBed(async (bed) => {
    bed.write();
    const images = join(bed.dir, 'images');
    mkdirSync(images);
    const r = await script(
      bed,
      `const web = await runtime.restore(id, bundle, { criu, imagePath: ${JSON.stringify(images)}, stdio: ${none},
         tcpClose: true });
       console.log((await web.state()).status);
       const waiting = web.wait();
       await web.kill('KILL');
       console.log((await waiting).signal);
       await web.delete();`,
    );
    assert.is(r.stdout, 'running\n9\n');
    assert.equal([r.type, r.opts.tcp_close], [Type.RESTORE, true]);
  }),
);

test(
  'restore ends with ERR_ABORTED when its signal aborts while criu does nothing, and nothing is left',
  onBed(async (bed) => {
    bed.write();
    mkdirSync(join(bed.dir, 'images'));
    const r = await script(
      bed,
      `const abort = new AbortController();
       const options = { criu, imagePath: ${JSON.stringify(join(bed.dir, 'images'))}, stdio: ${none}, signal: abort.signal };
       const restored = runtime.restore(id, bundle, options);
       setTimeout(() => abort.abort('too slow'), 500);
       const told = await restored.catch(({ code, cause }) => code + ' ' + cause);
       console.log(told, (await runtime.list()).length);
       console.log(await runtime.restore(id, bundle, options).catch(({ code }) => code));`,
      { FAKE_HANG: '1' },
    );
    assert.is(r.stdout, 'ERR_ABORTED too slow 0\nERR_ABORTED\n');
    assert.is(r.type, Type.RESTORE);
  }),
);

test(
  'without criu both fail with its code: the container continues, and nothing is restored',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const runtime = new Runtime({ root: bed.root });
    const stdio = ['ignore', 'ignore', 'ignore'] as const;
    await using web = await runtime.create(bed.id, bed.bundle, { stdio });
    await web.start();
    const options = { criu: '/none/criu', imagePath: join(bed.dir, 'images') };
    const missing = async (call: Promise<unknown>): Promise<void> => {
      const error = await call.then(
        () => undefined,
        (e: unknown) => e,
      );
      assert.instance(error, RuntError);
      assert.is((error as Library.RuntError).code, 'ERR_CRIU_MISSING');
    };
    await missing(web.checkpoint(options));
    assert.is((await web.state()).status, 'running');
    await missing(runtime.restore(`${bed.id}-b`, bed.bundle, { ...options, stdio }));
    assert.equal(
      (await runtime.list()).map(({ id }) => id),
      [bed.id],
    );
  }),
);

test.run();
