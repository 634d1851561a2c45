/**
 * Annotations that an image may have put into a config: runt warns of them, or refuses them, wherever they have an
 * effect.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runtimeOptions, task } from '../../src/shim/transport/protos.js';
import { annotationNames } from '../../src/spec/annotation-names.js';
import { type Bed, needing, onBed } from '../integration/bed/bed.js';
import { top, weakCommand } from '../integration/bed/place.js';
import { Engine } from '../integration/bed/shim-engine.js';

const test = needing('unsafe annotations', 'root');
const weak = needing('unsafe annotations on a weaker runt', 'root', 'programs');
const testCriu = needing('unsafe annotations, criu', 'root', 'criu');

/** A filter that allows everything: one BPF_RET of SECCOMP_RET_ALLOW. */
const allowAll = Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]).toString('base64');

/** Each annotation with an effect without systemd, and a value by which an image would gain something. */
const attacks = (bed: Bed): Record<string, string> => ({
  'run.oci.keep_original_groups': '1',
  'run.oci.seccomp_bpf_data': allowAll,
  'run.oci.hooks.stdout': join(bed.dir, 'overwritten'),
  'run.oci.hooks.stderr': join(bed.dir, 'overwritten'),
  'org.criu.config': join(bed.dir, 'criu.conf'),
  'run.oci.delegate-cgroup': 'inner',
});

const hook = { path: '/bin/sh', args: ['sh', '-c', 'echo attacked'] };

test(
  'CVE-2026-53488, CVE-2026-53489, CVE-2026-53492, CVE-2026-50195: deny refuses each with its JSON pointer before anything is made, for create, run, explain and validate',
  onBed((bed) => {
    bed.config.hooks = { createRuntime: [hook], createContainer: [hook] };
    for (const [name, value] of Object.entries(attacks(bed))) {
      bed.config.annotations = { [name]: value };
      bed.write();
      for (const args of [
        ['create', '--bundle', bed.bundle, bed.id],
        ['run', '--bundle', bed.bundle, bed.id],
        ['explain', bed.bundle],
        ['validate', bed.bundle],
      ]) {
        for (const [flags, env] of [
          [['--unsafe-annotations', 'deny'], {}],
          [['--unsafe-annotations=deny'], { RUNT_UNSAFE_ANNOTATIONS: 'allow' }],
          [[], { RUNT_UNSAFE_ANNOTATIONS: 'deny' }],
        ] as const) {
          const r = bed.runt([...flags, ...args], { env: { PATH: process.env.PATH ?? '', ...env } });
          assert.is(r.code, 1, `${name}: ${args[0]}`);
          assert.match(r.stderr, `the annotation ${name} is denied: it `);
          assert.match(r.stderr, `  at  /annotations/${name} in config.json`);
        }
      }
      assert.not.ok(existsSync(join(bed.dir, 'overwritten')), name);
      assert.not.ok(existsSync(join(bed.root, bed.id)), name);
    }
    const json = bed.runt(['--unsafe-annotations', 'deny', 'validate', '--format', 'json', bed.bundle]);
    assert.is(json.code, 1);
    assert.is(JSON.parse(json.stdout).violations[0].pointer, '/annotations/run.oci.delegate-cgroup');
  }),
);

weak(
  'CVE-2026-53488: the attack works on a runt without the policy: an annotation overwrites a file of the host',
  onBed((bed) => {
    bed.config.hooks = { createRuntime: [hook] };
    bed.config.annotations = { 'run.oci.hooks.stdout': join(bed.dir, 'overwritten') };
    bed.write();
    const args = ['--unsafe-annotations', 'deny', 'create', '--bundle', bed.bundle, bed.id];
    assert.is(bed.runt(args, weakCommand('annotations')).code, 0);
    assert.is(readFileSync(join(bed.dir, 'overwritten'), 'utf8'), 'attacked\n');
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'deny with --log writes one line with the stable code and the JSON pointer',
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.hooks.stderr': '/etc/passwd', 'run.oci.keep_original_groups': '1' };
    bed.write();
    const log = join(bed.dir, 'log');
    const r = bed.runt([
      ...['--unsafe-annotations', 'deny', '--log', log, '--log-format', 'json'],
      ...['create', '--bundle', bed.bundle, bed.id],
    ]);
    assert.is(r.code, 1);
    const entry = JSON.parse(readFileSync(log, 'utf8')) as Record<string, string>;
    assert.equal([entry.code, entry.pointer], ['ERR_ANNOTATION_DENIED', '/annotations/run.oci.hooks.stderr']);
    assert.match(entry.msg!, /\(and 1 more\)/);
  }),
);

test(
  "warn, the default, prints one warning each to stderr, and writes none to an engine's log of a success",
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.keep_original_groups': '1', 'org.criu.config': '', other: 'x' };
    for (const flags of [[], ['--unsafe-annotations', 'warn']]) {
      bed.config.process.args = ['/bin/true'];
      bed.write();
      const r = bed.runt([...flags, 'run', '--bundle', bed.bundle, bed.id]);
      assert.is(r.code, 0);
      assert.equal(
        r.stderr.match(/\/annotations\/[a-z_.]+/g),
        ['/annotations/run.oci.keep_original_groups', '/annotations/org.criu.config'],
        r.stderr,
      );
    }
    const log = join(bed.dir, 'log');
    const logged = ['--log', log, '--log-format', 'json'];
    const quiet = bed.runt([...logged, 'run', '--bundle', bed.bundle, bed.id]);
    assert.equal([quiet.code, quiet.stderr, readFileSync(log, 'utf8')], [0, '', '']);
    bed.config.process.args = ['/none'];
    bed.write();
    assert.is(bed.runt([...logged, 'run', '--bundle', bed.bundle, bed.id]).code, 1);
    assert.match(JSON.parse(readFileSync(log, 'utf8')).msg, /no such file or directory/);
    rmSync(log);
    bed.runt([...logged, '--log-level', 'warning', 'run', '--bundle', bed.bundle, bed.id]);
    assert.is(
      readFileSync(log, 'utf8').split('\n').filter(Boolean).length,
      3,
      'two warnings and the error, when asked',
    );
  }),
);

test(
  'allow prints nothing and applies the annotation, and an unknown policy is refused',
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.keep_original_groups': '1' };
    const env = (value: string) => ({ env: { PATH: process.env.PATH ?? '', RUNT_UNSAFE_ANNOTATIONS: value } });
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const run = ['run', '--bundle', bed.bundle, bed.id];
    assert.equal([bed.runt(run, env('allow'))].map((r) => [r.code, r.stderr])[0], [0, '']);
    assert.equal([bed.runt(['--unsafe-annotations=allow', ...run])].map((r) => [r.code, r.stderr])[0], [0, '']);
    assert.match(bed.runt(run, env('no')).stderr, /RUNT_UNSAFE_ANNOTATIONS must be allow, warn or deny, not "no"/);
    assert.match(bed.runt(['--unsafe-annotations=no', ...run]).stderr, /must be allow or warn or deny/);
    // Also for a config without annotations: the policy is wrong before an image adds one.
    delete bed.config.annotations;
    bed.started();
    for (const args of [run, ['explain', bed.bundle], ['validate', bed.bundle], ['exec', bed.id, '/bin/true']]) {
      assert.match(bed.runt(args, env('Deny')).stderr, /RUNT_UNSAFE_ANNOTATIONS must be/, args[0]);
    }
    const flag = bed.runt(['--unsafe-annotations', 'deny', 'exec', bed.id, '/bin/true'], env('Deny'));
    assert.is(flag.code, 0, flag.stderr);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'exec refuses annotations with an effect on the process, and ignores the others',
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.keep_original_groups': '1', 'run.oci.hooks.stdout': join(bed.dir, 'out') };
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    assert.is(bed.runt(['--unsafe-annotations=allow', 'create', '--bundle', bed.bundle, bed.id]).code, 0);
    assert.is(bed.start().code, 0);
    const denied = bed.runt(['--unsafe-annotations', 'deny', 'exec', bed.id, '/bin/true']);
    assert.is(denied.code, 255);
    assert.match(denied.stderr, /the annotation run\.oci\.keep_original_groups is denied/);
    const warned = bed.runt(['exec', bed.id, '/bin/true']);
    assert.equal([warned.code, warned.stderr], [0, ''], 'standard error is the process’s; create has warned');
    // Commands that end or change a container do not depend on annotations.
    assert.is(bed.runt(['--unsafe-annotations', 'deny', 'kill', bed.id, 'KILL']).code, 0);
    bed.until('stopped');
    assert.is(bed.runt(['--unsafe-annotations', 'deny', 'delete', bed.id]).code, 0);
  }),
);

test(
  'org.systemd.property and run.oci.systemd.subgroup are checked only where systemd makes the cgroup',
  onBed((bed) => {
    for (const name of ['org.systemd.property.CPUWeight', 'run.oci.systemd.subgroup']) {
      bed.config.annotations = { [name]: name.endsWith('group') ? 'x' : 'uint64 10' };
      bed.config.linux.cgroupsPath = `system.slice:runt:${bed.id}`;
      bed.write();
      const denied = bed.runt(['--unsafe-annotations', 'deny', '--systemd-cgroup', 'explain', bed.bundle]);
      assert.match(
        denied.stderr,
        new RegExp(`the annotation ${name.replaceAll('.', '\\.')} is denied|needs cgroup v2|cgroup v1`),
      );
      bed.config.linux.cgroupsPath = `/${bed.id}`;
      bed.write();
      const fine = bed.runt(['--unsafe-annotations', 'deny', 'explain', bed.bundle]);
      assert.equal([fine.code, fine.stderr], [0, '']);
    }
  }),
);

test(
  'explain marks them, validate warns of them, and features lists the same names',
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.keep_original_groups': '1', other: 'x' };
    bed.write();
    const text = bed.runt(['--unsafe-annotations', 'allow', 'explain', bed.bundle]);
    assert.match(
      text.stdout,
      /\nannotations\n +! +unsafe +it leaves the process the supplementary groups .*\/annotations\/run\.oci\.keep/,
    );
    const json = JSON.parse(
      bed.runt(['--unsafe-annotations', 'allow', 'explain', '--format', 'json', bed.bundle]).stdout,
    );
    assert.equal(
      json.unsafeAnnotations.map((a: { at: string }) => a.at),
      ['/annotations/run.oci.keep_original_groups'],
    );
    const valid = bed.runt(['validate', bed.bundle]);
    assert.equal([valid.code, valid.stdout], [0, 'valid\n']);
    assert.match(valid.stderr, /warning: \/annotations\/run\.oci\.keep_original_groups should be absent, unless/);
    assert.is(bed.runt(['--unsafe-annotations', 'allow', 'validate', bed.bundle]).stderr, '');
    const { potentiallyUnsafeConfigAnnotations: names } = JSON.parse(bed.runt(['features']).stdout);
    assert.equal(names, annotationNames());
  }),
);

testCriu(
  "checkpoint refuses the criu configuration file that a container's annotation names",
  onBed((bed) => {
    const config = join(bed.dir, 'criu.conf');
    writeFileSync(config, `action-script ${bed.dir}/script\n`);
    bed.config.annotations = { 'org.criu.config': config };
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    assert.is(bed.runt(['--unsafe-annotations=allow', 'create', '--bundle', bed.bundle, bed.id]).code, 0);
    assert.is(bed.start().code, 0);
    const r = bed.runt(['--unsafe-annotations', 'deny', 'checkpoint', '--image-path', join(bed.dir, 'images'), bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /the annotation org\.criu\.config is denied/);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'the library has the policy as an option',
  onBed((bed) => {
    bed.config.annotations = { 'run.oci.hooks.stdout': join(bed.dir, 'overwritten') };
    bed.write();
    const script = `
      const { Runtime, compile } = await import(${JSON.stringify(join(top, 'dist', 'index.js'))});
      const runtime = new Runtime({ root: ${JSON.stringify(bed.root)} });
      const bundle = ${JSON.stringify(bed.bundle)};
      const code = (p) => p.then(() => 'worked', (e) => e.code);
      console.log(await code(runtime.create('${bed.id}', bundle, { unsafeAnnotations: 'deny' })), await code(compile(bundle, { unsafeAnnotations: 'deny' })),
        await code(compile(bundle)));`;
    const r = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.is(r.stdout, 'ERR_ANNOTATION_DENIED ERR_ANNOTATION_DENIED worked\n', r.stderr);
  }),
);

test(
  'the shim reads the policy from its TOML options, else from its environment',
  onBed(async (bed) => {
    bed.config.annotations = { 'run.oci.hooks.stdout': join(bed.dir, 'overwritten') };
    bed.config.hooks = { createRuntime: [hook] };
    bed.write();
    const any = (text: string) => ({
      type_url: 'runtimeoptions.v1.Options',
      value: runtimeOptions.Options.encode({ configBody: new TextEncoder().encode(text) }).finish(),
    });
    for (const [env, text, denied] of [
      [{}, 'UnsafeAnnotations = "deny"', true],
      [{ RUNT_UNSAFE_ANNOTATIONS: 'deny' }, '', true],
      [{ RUNT_UNSAFE_ANNOTATIONS: 'deny' }, 'UnsafeAnnotations = "allow"', false],
    ] as const) {
      rmSync(join(bed.dir, 'fifos'), { recursive: true, force: true });
      rmSync(join(bed.dir, 'containerd-shim-runt-v1'), { force: true });
      const engine = new Engine(bed);
      engine.start(undefined, env);
      const { id, bundle } = bed;
      const made = engine
        .call('Create', task.CreateTaskRequest.encode({ id, bundle, options: any(text) }))
        .then(() => 'made', String);
      if (denied) {
        assert.match(await made, /the annotation run\.oci\.hooks\.stdout is denied/);
        assert.not.ok(existsSync(join(bed.dir, 'overwritten')));
        await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
      } else {
        assert.is(await made, 'made');
        await engine.over();
      }
      engine.disconnect();
      engine.deaf();
    }
  }),
);

test.run();
weak.run();
testCriu.run();
