/**
 * Check that the unit tests detect a broken lifecycle: mutants.mjs [part of a name …].
 *
 * Each mutant changes one line and so breaks behaviour. It is made in a copy of the tree, where the unit tests of its
 * folder run without root. A mutant that no test detects survives, which is a failure; so is one whose line is no
 * longer in the file. When the tests miss a defect, add it here with its test.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Name of the defect, file in src/, text to replace (once), its replacement, and parts of the tests' paths. */
const mutants = [
  // start
  [
    'start: starts a container that runs',
    'container/start.ts',
    "status !== 'created' ||",
    "status === 'stopped' ||",
    ['container/start'],
  ],
  [
    'start: leaves the start socket',
    'container/start.ts',
    'native.unlinkAt(dir, startSocket, 0);',
    '',
    ['container/start'],
  ],
  [
    'start: takes an end without `exec` for success',
    'container/start.ts',
    "if (state === 'starting')",
    "if (state === 'waiting')",
    ['container/start'],
  ],
  [
    'start: blames the operation beside the one that failed',
    'container/state/plan-rest.ts',
    '([i]) => i === index',
    '([i]) => i === index - 1',
    ['container/start', 'container/state'],
  ],
  // delete
  [
    'delete: removes a container that runs, without --force',
    'container/delete.ts',
    "status !== 'stopped' && status !== 'created' && !o.force",
    "status === 'paused' && !o.force",
    ['container/delete'],
  ],
  [
    'delete: does not wait for the process',
    'container/delete.ts',
    'if (await process.waitForEnd(freezer && !freezer.v2 ? 0 : killedProcessTime)) return;',
    'return;',
    ['container/delete'],
  ],
  [
    'delete: an unknown id is fine without --force',
    'container/delete.ts',
    '&& !o.force) throw error;',
    '&& o.force) throw error;',
    ['container/delete'],
  ],
  [
    'delete: takes an unmounted hierarchy for no cgroup',
    'container/delete.ts',
    'checkMounted(record.cgroups);',
    '',
    ['container/delete'],
  ],
  // teardown
  [
    'teardown: throws the last error',
    'container/teardown.ts',
    'throw errors[0];',
    'throw errors.at(-1);',
    ['container/teardown'],
  ],
  [
    'teardown: removes the state although a cgroup is left',
    'container/teardown.ts',
    'if (r.stateDirectory && errors.length === 0)',
    'if (r.stateDirectory)',
    ['container/teardown'],
  ],
  [
    'teardown: removes the cgroup of a process that did not end',
    'container/teardown.ts',
    'const processLeft = errors.length > before;',
    'const processLeft = false;',
    ['container/teardown'],
  ],
  [
    'teardown: leaves the resctrl groups',
    'container/teardown.ts',
    'if (rdt?.length) await',
    'if (!rdt?.length) await',
    ['container/teardown'],
  ],
  [
    'teardown: removes the state before the supervisor has ended',
    'container/teardown.ts',
    'if (r.endSupervisor) await step(',
    'if (r.endSupervisor) void step(',
    ['container/teardown'],
  ],
  // the store
  [
    'store: a second create takes the state of the first',
    'container/state/state-store.ts',
    'if (r === -E.EEXIST) {',
    'if (r === -E.ENOENT) {',
    ['container/state'],
  ],
  [
    'store: works in a directory that was removed',
    'container/state/state-store.ts',
    'if (isSameDirectory(root, id, fd)) return',
    'return',
    ['container/state'],
  ],
  [
    'store: takes any error for "no such entry"',
    'container/state/state-store.ts',
    'if (r < 0 && !isMissing(r)) {',
    'if (r < 0 && isMissing(r)) {',
    ['container/state'],
  ],
  [
    'store: reads the state of a newer runt',
    'container/state/state-store.ts',
    'if (r.version !== 1) throw',
    'if (r.version === 1) throw',
    ['container/state'],
  ],
  [
    'status: takes a reused pid for the container',
    'container/state/recorded-process.ts',
    "if (stat?.startTime === startTime && stat.state !== 'Z'",
    "if (stat !== undefined && stat.state !== 'Z'",
    ['container/state'],
  ],
  // the shim's task
  [
    'task: removes a container that another create made',
    'shim/task/task.ts',
    'if (created) await remove(',
    'if (!created) await remove(',
    ['shim/task'],
  ],
  [
    'task: starts a process twice',
    'shim/task/task.ts',
    'if (process.started || process.ended) throw',
    'if (process.started && process.ended) throw',
    ['shim/task'],
  ],
  [
    'task: deletes a process that runs',
    'shim/task/task.ts',
    'if (process.started && !process.ended) {',
    'if (!process.started && process.ended) {',
    ['shim/task'],
  ],
  [
    'task: reports the end of init before that of its execs',
    'shim/task/task.ts',
    'await this.execs.ended();',
    '',
    ['shim/task'],
  ],
  ['task: leaves the root mounted', 'shim/task/task.ts', 'unmountRootfs(this.rootfs);', '', ['shim/task']],
  // the launch
  [
    'launch: leaves the unit of a create that failed',
    'container/launch/launch.ts',
    'unit: resources.unitStarted ? record.unit : undefined,',
    '',
    ['container/launch', 'container/create'],
  ],
  [
    'launch: starts the process before its state is saved',
    'container/launch/launch.ts',
    'if (!exec) this.saveCreated();',
    '',
    ['container/launch', 'container/create'],
  ],
  [
    'conversation: execve(2) after no `exec`',
    'container/launch/conversation.ts',
    "return 'executing';",
    "return 'ended';",
    ['container/launch'],
  ],
];

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const parts = process.argv.slice(2);
const wanted = mutants.filter(([name]) => parts.length === 0 || parts.some((part) => name.includes(part)));
if (wanted.length === 0) throw new Error(`no mutant has a name with ${parts.join(', ')}`);

/** Directories that tests only read. */
const linked = ['.git', 'node_modules', 'build', 'dist'];
const copy = mkdtempSync(join(tmpdir(), 'runt-mutants-'));
// hack/test.mjs requires a checkout that every user may enter.
chmodSync(copy, 0o755);
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const name of readdirSync('.')) {
  if (linked.includes(name)) symlinkSync(join(process.cwd(), name), join(copy, name));
  else cpSync(name, join(copy, name), { recursive: true });
}

/** Runs unit tests in the copy. Returns whether all passed, and their output. */
function test(paths) {
  const run = spawnSync(process.execPath, ['hack/test.mjs', '--unit', ...paths.map((path) => `test/${path}`)], {
    cwd: copy,
    encoding: 'utf8',
    // A mutant may loop for ever: the kill ends a test that does not end by itself.
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  const text = run.stdout + run.stderr;
  if (/^0 passed, 0 failed/m.test(text)) throw new Error(`no test below ${paths.join(', ')}`);
  return { passed: run.status === 0, text };
}

process.stdout.write(`${wanted.length} mutants; first the tests without any\n`);
const all = [...new Set(wanted.flatMap(([, , , , paths]) => paths))];
const sound = test(all);
if (!sound.passed) throw new Error(`the tests fail without any mutant:\n${sound.text}`);

let survived = 0;
for (const [i, [name, file, from, to, paths]] of wanted.entries()) {
  const path = join(copy, 'src', file);
  const before = readFileSync(path, 'utf8');
  if (before.split(from).length !== 2) throw new Error(`${name}: src/${file} has not once: ${from}`);
  writeFileSync(
    path,
    before.replace(from, () => to),
  );
  const { passed, text } = test(paths);
  writeFileSync(path, before);
  const by = /^ {3}FAIL {2}(.*)$/m.exec(text)?.[1] ?? 'a test that did not end by itself';
  process.stdout.write(`[${i + 1}/${wanted.length}] ${passed ? `SURVIVED  ${name}` : `caught    ${name}: ${by}`}\n`);
  if (passed) survived++;
}
process.stdout.write(`${wanted.length - survived} caught, ${survived} survived\n`);
if (survived > 0) process.exitCode = 1;
