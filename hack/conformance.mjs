// The tables of docs/conformance.md, from the logs of hack/test-all: conformance.mjs LOGS OUT.md. A part that has no log here, since
// another checkout ran it, keeps its row and section as they are in OUT.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';

const [logs, out] = process.argv.slice(2);
const text = (name) => (existsSync(join(logs, name)) ? readFileSync(join(logs, name), 'utf8') : '');

const before = existsSync(out) ? readFileSync(out, 'utf8') : '';
const kept = (pattern) => pattern.exec(before)?.[0].trimEnd();
/** The section of OUT.md as it is, in place of the lines made now when there are none. */
const section = (title, made) => {
  const old = made.length > 0 ? undefined : kept(new RegExp(`^## ${title}\n(?:(?!## ).*\n)*`, 'm'));
  if (made.length > 0) lines.push('', `## ${title}`, '', ...made);
  else if (old !== undefined) lines.push('', old);
};

/** When a part ran, how long, and whether it passed; undefined when it never did. */
function ending(name) {
  const [status, seconds, date] = text(`${name}.status`).trim().split(' ');
  return (
    date && { passed: status === '0', seconds, date, how: status === '0' ? 'passed' : `**failed** (status ${status})` }
  );
}

/** The lines of a log that are wanted. */
const printed = (name, wanted) => text(name).trimEnd().split('\n').filter(wanted);

/** Path → what its line in the log of hack/test.mjs says. */
function results(name) {
  const lines = [...text(name).matchAll(/^(ok {2}|FAIL) (test\/\S+) (\d+)\/(\d+) /gm)];
  return new Map(
    lines.map(([, mark, path, passed, total]) => [
      path,
      total === '0' && mark !== 'FAIL' ? 'skipped' : `${passed}/${total}${mark === 'FAIL' ? ' **failed**' : ''}`,
    ]),
  );
}

const here = results('tests');
const vm = results('vm');
/** The sum at the end; of the judge, which runs once for each manager of cgroups, that of all runs. */
function sum(name) {
  if (name !== 'judge-v2')
    return /^(?:runt: )?(\d+ passed, \d+ failed, \d+ skipped)$/m.exec(text(name))?.at(-1) ?? 'did not end';
  const runs = [...text(name).matchAll(/^runt: (\d+) passed, (\d+) failed, (\d+) skipped$/gm)];
  const [passed, failed, skipped] = [1, 2, 3].map((i) => runs.reduce((n, run) => n + Number(run[i]), 0));
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
const lines = [
  '# Conformance',
  '',
  '<!-- Written by `make test-all`; do not edit. -->',
  '',
  'What ran where the last time that `make test-all` did, and how it went.',
  '',
  `Here is Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? 'a CPU'}.`,
  '',
  '| part | when | seconds | result |',
  '|---|---|---|---|',
];
const parts = {
  arm64: "arm64: built here, run in QEMU's user mode",
  tests: 'all tests, here',
  vm: 'kernel tests on cgroup v2 alone, User Mode Linux',
  apparmor: 'tests of labels with AppArmor on, QEMU',
  selinux: 'tests of labels with SELinux enforcing, QEMU',
  bullseye: "kernel tests on Debian bullseye's Linux, QEMU",
  bookworm: "kernel tests on Debian bookworm's Linux, QEMU",
  sid: "kernel tests on Debian sid's Linux, QEMU",
  judge: "the OCI's validation programs, beside crun and runc",
  'judge-v2': "the OCI's validation programs on cgroup v2, User Mode Linux",
  engines: 'engines, with runt as with runc',
  'engines-qemu': 'podman checkpoint and restore, with runt as with runc, QEMU',
  criu: "checkpoint and restore with the real criu, Debian trixie's Linux, QEMU",
  'engines-v2': 'engines on cgroup v2, with runt as with runc, User Mode Linux',
  containerd: 'containerd 1.6, 1.7 and 2.1, with its shim as with that of runc',
  'containerd-v2': 'containerd 1.7 on cgroup v2, with its shim as with that of runc, User Mode Linux',
  cri: "Kubernetes' CRI: crictl and critest, with runc and with runt",
  'cri-v2': "Kubernetes' CRI on cgroup v2, with runc and with runt, User Mode Linux",
  crio: 'CRI-O: crictl and critest, with runc and with runt',
  'crio-v2': 'CRI-O on cgroup v2: crictl and a part of critest, with runc and with runt, User Mode Linux',
  runc: "runc 1.4's own tests, with runc and with runt",
  fuzz: 'fuzzing',
  bench: 'bench',
};
for (const [name, what] of Object.entries(parts)) {
  const end = ending(name);
  const more = end && !['arm64', 'fuzz', 'bench'].includes(name) ? `: ${sum(name)}` : '';
  lines.push(
    end
      ? `| ${what} | ${end.date} | ${end.seconds} | ${end.how}${more} |`
      : (kept(new RegExp(`^\\| ${what} \\|.*$`, 'm')) ?? `| ${what} | – | – | did not run |`),
  );
}

const tests = [];
const paths = [...new Set([...here.keys(), ...vm.keys()])].sort();
if (paths.length > 0) tests.push('| passed of all | here | cgroup v2 |', '|---|---|---|');
for (const path of paths) {
  tests.push(`| ${path.slice('test/'.length)} | ${here.get(path) ?? '–'} | ${vm.get(path) ?? '–'} |`);
}
for (const name of ['tests', 'vm']) {
  const skipped = /^skipped:\n((?: {2}.*\n)+)/m.exec(text(name))?.[1];
  if (skipped)
    tests.push('', `Skipped ${name === 'vm' ? 'on cgroup v2' : 'here'}:`, '', '```', skipped.trimEnd(), '```');
}
section('Tests', tests);

const machines = ['bullseye', 'bookworm', 'sid', 'apparmor', 'selinux', 'criu'].filter(
  (name) => results(name).size > 0,
);
const kernels = [];
if (machines.length > 0) {
  const all = machines.map(results);
  const named = machines.map((name) => `${name} ${/^linux: (\d+\.\d+)/m.exec(text(name))?.[1] ?? ''}`.trim());
  kernels.push(`| passed of all | ${named.join(' | ')} |`, `|---|${'---|'.repeat(machines.length)}`);
  for (const path of [...new Set(all.flatMap((r) => [...r.keys()]))].sort())
    kernels.push(`| ${path.slice('test/'.length)} | ${all.map((r) => r.get(path) ?? '–').join(' | ')} |`);
  for (const name of machines) {
    const skipped = /^skipped:\n((?: {2}.*\n)+)/m.exec(text(name))?.[1];
    if (skipped) kernels.push('', `Skipped with ${name}:`, '', '```', skipped.trimEnd(), '```');
  }
}
section('Other kernels', kernels);

// Progress is on lines of its own; the sums at the end belong to the text.
for (const [name, title] of [
  ['judge', "The OCI's validation programs"],
  ['judge-v2', "The OCI's validation programs on cgroup v2"],
]) {
  const judge = printed(name, (l) => !/^judge: /.test(l) && !/^(go|vm): /.test(l));
  const indented = judge.map((l) => (/^(runt|crun|runc): /.test(l) ? `    ${l}` : l));
  section(title, judge.length > 1 ? ['See [contributing.md](contributing.md).', '', ...indented] : []);
}

// A header, the versions, a line for each scenario and the sum, for each engine of each suite (and manager of cgroups).
for (const [name, title] of [
  ['engines', 'Engines'],
  ['engines-v2', 'Engines on cgroup v2'],
  ['containerd', 'The shim under containerd'],
  ['containerd-v2', 'The shim under containerd on cgroup v2'],
  ['engines-qemu', 'Checkpoint and restore by podman'],
]) {
  const engines = [];
  for (const [, engine, suite, log] of text(name)
    .replaceAll('\r', '')
    .matchAll(/^── (\S+) of (.+)\n((?:(?!── |runt: ).*\n)*)/gm)) {
    const versions = log.split('\n').find((l) => !/^(vm|engines): /.test(l)) ?? '';
    const end = /^\S+: (\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(log);
    const row = end ? end.slice(1).join(' | ') : 'did not end | |';
    engines.push(`| ${engine} | ${suite} | ${versions} | ${row} |`);
  }
  const notPassed = [...text(name).matchAll(/^(?:skipped|FAILED|── .* of) .*$/gm)].map(([line]) => line);
  if (engines.length > 0)
    engines.unshift('| engine | Debian | versions | passed | failed | skipped |', '|---|---|---|---|---|---|');
  if (notPassed.length > 0) engines.push('', '```', ...notPassed, '```');
  section(title, engines.length > 0 ? ['See [contributing.md](contributing.md).', '', ...engines] : []);
}

// As it was printed, without what all tests passed with every handler.
for (const [name, title] of [
  ['cri', "Kubernetes' CRI"],
  ['cri-v2', "Kubernetes' CRI on cgroup v2"],
  ['crio', 'CRI-O'],
  ['crio-v2', 'CRI-O on cgroup v2'],
  ['runc', "runc's own tests"],
]) {
  const noise = /^$|^(passed +){2,}|^(cri|engines|vm): build|^engines: built|^go: |warning: Using '/;
  const cri = printed(name, (l) => !noise.test(l)).map((l) => `    ${l}`);
  const page = name === 'runc' ? 'contributing.md' : 'shim.md#kubernetes-cri';
  section(title, cri.length > 1 ? [`See [${page}](${page}).`, '', ...cri] : []);
}

const kills = [...text('tests').matchAll(/^ +(create|run|start|exec|delete): (\d+) of (\d+) killed .*$/gm)];
const killed = kills.length > 0 ? ['| command | moments | still ran | left |', '|---|---|---|---|'] : [];
for (const [line, command, cuts, all] of kills) {
  const left = Object.entries(JSON.parse(line.slice(line.indexOf('{')))).map(([status, n]) => `${n} ${status}`);
  killed.push(`| ${command} | ${all} | ${cuts} | ${left.join(', ')} |`);
}
section('Killed at random moments', killed);
const fuzz = text('fuzz')
  .split('\n')
  .filter((l) => /^(fuzz|decode_fuzz|json_fuzz):/.test(l));
section('Fuzzing', fuzz.length > 0 ? ['```', ...fuzz, '```'] : []);
const bench = text('bench')
  .trimEnd()
  .split('\n')
  .filter((l) => !l.startsWith('bench: written'));
section('Bench', bench.length > 1 ? ['See [bench.md](bench.md).', '', '```', ...bench, '```'] : []);
writeFileSync(out, `${lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')}\n`);
