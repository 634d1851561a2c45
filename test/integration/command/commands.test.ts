/** Commands that make no container (explain, validate, features, spec, --version), and flags that are not supported. */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('commands', 'root');
const otherUser = needing('commands of another user', 'root', 'open-checkout');

otherUser(
  'explain and validate need neither root nor capabilities, and write nothing',
  onBed((bed) => {
    bed.write();
    const before = statSync(bed.bundle).mtimeMs;
    for (const args of [
      ['explain', bed.bundle],
      ['explain', '--format', 'json', bed.bundle],
      ['validate', bed.bundle],
    ]) {
      const r = bed.runt(args, { uid: 65534, gid: 65534, cwd: '/', env: {} });
      assert.is(r.code, 0, r.stderr);
      assert.is(r.stderr, '');
      assert.ok(r.stdout.length > 0);
    }
    assert.is(statSync(bed.bundle).mtimeMs, before);
    assert.not.ok(existsSync(bed.root));
  }),
);

test(
  'explain prints the JSON pointers of values as text and in the JSON plan',
  onBed((bed) => {
    bed.config.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    bed.write();
    const text = bed.runt(['explain', bed.bundle]).stdout;
    const json = bed.runt(['explain', '--format', 'json', bed.bundle]).stdout;
    for (const place of ['/mounts/3', '/linux/maskedPaths/2', '/process/rlimits/0', '/hostname', '/linux/sysctl']) {
      assert.ok(text.includes(place), `${place} in the text`);
      assert.ok(json.includes(place), `${place} in the JSON`);
    }
    assert.not.ok(text.includes('\u001b'), 'no colour when stdout is a file');
    assert.type(JSON.parse(json), 'object');
  }),
);

test(
  'validate prints a violation, and --strict an unknown property too',
  onBed((bed) => {
    bed.write({ ...bed.config, hostname: 5, process: { ...bed.config.process, cwd: 'x' }, extra: 1 });
    const r = bed.runt(['validate', bed.bundle]);
    assert.is(r.code, 1);
    const said = r.stdout + r.stderr;
    assert.match(said, /\/hostname/);
    bed.write({ ...bed.config, extra: 1 });
    assert.is(bed.runt(['validate', bed.bundle]).code, 0);
    const strict = bed.runt(['validate', '--strict', bed.bundle]);
    assert.match(strict.stdout + strict.stderr, /\/extra/);
  }),
);

test(
  'validate warns of unknown system call names, and the config stays valid',
  onBed((bed) => {
    const rule = (...names: string[]) => ({ names, action: 'SCMP_ACT_ERRNO' as const });
    bed.config.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [rule('mkdir', 'mkdirr'), rule('mkdirr', 'no_such_call', '_newselect')],
    };
    bed.write();
    for (const flags of [[], ['--strict']]) {
      const r = bed.runt(['validate', ...flags, bed.bundle]);
      assert.equal([r.code, r.stdout], [0, 'valid\n']);
      const line = (at: string, name: string) =>
        `warning: /linux/seccomp/syscalls/${at} should be a system call that libseccomp VERSION knows: "${name}" is left out of the filter\n`;
      assert.is(
        r.stderr.replaceAll(/libseccomp [0-9.]+/g, 'libseccomp VERSION'),
        line('0/names/1', 'mkdirr') + line('1/names/1', 'no_such_call'),
      );
      const { valid, violations, warnings } = JSON.parse(
        bed.runt(['validate', '--format=json', ...flags, bed.bundle]).stdout,
      );
      assert.equal([valid, violations.length, warnings.length], [true, 0, 2]);
      assert.is(warnings[0].value, 'mkdirr');
    }
    assert.is(bed.run().code, 0);
  }),
);

test(
  'features prints JSON with the versions of the spec, and nothing on stderr',
  onBed((bed) => {
    const r = bed.runt(['features'], { env: {} });
    assert.equal([r.code, r.stderr], [0, '']);
    const features = JSON.parse(r.stdout);
    assert.match(features.ociVersionMin, /^1\./);
    assert.match(features.ociVersionMax, /^1\.3/);
    assert.ok(features.linux.namespaces.includes('cgroup'));
  }),
);

test(
  'spec writes a bundle that runs, also without a terminal, and overwrites no file',
  onBed((bed) => {
    const path = join(bed.bundle, 'config.json');
    rmSync(path, { force: true });
    assert.is(bed.runt(['spec'], { cwd: bed.bundle }).code, 0);
    assert.is(bed.runt(['spec'], { cwd: bed.bundle }).code, 1);
    bed.config = JSON.parse(readFileSync(path, 'utf8'));
    assert.is(bed.config.process.terminal, true);
    bed.config.process.terminal = false;
    assert.is(bed.out('echo works'), 'works\n');
  }),
);

test(
  '--version prints the lines that engines read',
  onBed((bed) => {
    const lines = bed.runt(['--version']).stdout.trim().split('\n');
    assert.match(lines[0]!, /^runt version \d+\.\d+\.\d+/);
    assert.match(lines[1]!, /^commit: /);
    assert.match(lines[2]!, /^spec: 1\.\d+\.\d+/);
  }),
);

test(
  '--trace writes a span for each performed operation',
  onBed((bed) => {
    const trace = join(bed.dir, 'trace.json');
    assert.is(bed.run(['--trace', trace]).code, 0);
    const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8'));
    const spans = traceEvents.filter((e: { ph: string }) => e.ph === 'X');
    assert.ok(spans.length > 40, `${spans.length} spans`);
    for (const { ts, dur } of spans) {
      assert.type(ts, 'number');
      assert.ok(dur >= 0);
    }
  }),
);

test(
  'an unsupported configuration is refused by name and leaves nothing',
  onBed((bed) => {
    const refused = (change: () => void, ...names: RegExp[]) => {
      const config = structuredClone(bed.config);
      change();
      const r = bed.run();
      assert.is(r.code, 1);
      for (const name of names) assert.match(r.stderr, name);
      bed.config = config;
    };
    refused(() => {
      bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'mount');
      bed.config.linux.maskedPaths = [];
      bed.config.linux.readonlyPaths = [];
      bed.config.linux.rootfsPropagation = 'slave';
    }, /without a mount namespace[\s\S]*\/linux\/rootfsPropagation/);
  }),
);

test(
  'a misspelt flag or command is refused with the nearest name',
  onBed((bed) => {
    const flag = bed.runt(['create', '--bundel', 'x', bed.id]);
    assert.is(flag.code, 1);
    assert.match(flag.stderr, /--bundle/);
    const command = bed.runt(['strat', bed.id]);
    assert.is(command.code, 1);
    assert.match(command.stderr, /start/);
    assert.is(bed.runt(['state', bed.id, 'extra']).code, 1);
    assert.is(bed.runt(['state']).code, 1);
  }),
);

test.run();
otherUser.run();
