// Tables of what ran where, from the logs of hack/test-all: conformance.mjs LOGS OUT.md PAGE.md. A part without a log
// keeps its row, its section and its column of a shared section of OUT.md. PAGE.md is the short form
// (hack/conformance-page.mjs).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { page } from './conformance-page.mjs';

const [logs, out, shortPage] = process.argv.slice(2);
const text = (name) => (existsSync(join(logs, name)) ? readFileSync(join(logs, name), 'utf8') : '');

const before = existsSync(out) ? readFileSync(out, 'utf8') : '';
const kept = (pattern) => pattern.exec(before)?.[0].trimEnd();
/** Adds a section with the lines `made`, or the section of OUT.md if there are none. */
const section = (title, made) => {
  const old = made.length > 0 ? undefined : kept(new RegExp(`^## ${title}\n(?:(?!## ).*\n)*`, 'm'));
  if (made.length > 0) lines.push('', `## ${title}`, '', ...made);
  else if (old !== undefined) lines.push('', old);
};

/** When a part ran, for how long, and whether it passed; undefined if it never ran. */
function ending(name) {
  const [status, seconds, date] = text(`${name}.status`).trim().split(' ');
  return (
    date && { passed: status === '0', seconds, date, how: status === '0' ? 'passed' : `**failed** (status ${status})` }
  );
}

/** The lines of a log that `wanted` accepts. */
const printed = (name, wanted) => text(name).trimEnd().split('\n').filter(wanted);

/** Path → result, from its line in the log of hack/test.mjs. */
function results(name) {
  const lines = [...text(name).matchAll(/^(ok {2}|FAIL) (test\/\S+) (\d+)\/(\d+) /gm)];
  return new Map(
    lines.map(([, mark, path, passed, total]) => [
      path,
      total === '0' && mark !== 'FAIL' ? 'skipped' : `${passed}/${total}${mark === 'FAIL' ? ' **failed**' : ''}`,
    ]),
  );
}

/**
 * The columns of a section of OUT.md, each with its cells by path, and its lists of skips, by the text after
 * "Skipped".
 */
function earlier(title) {
  const text = kept(new RegExp(`^## ${title}\n(?:(?!## ).*\n)*`, 'm')) ?? '';
  const rows = [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row.split(' | '));
  const [head = [], ...cells] = rows;
  const columns = head.slice(1).map((name, i) => [name, new Map(cells.map((row) => [row[0], row[i + 1]]))]);
  const skips = [...text.matchAll(/^Skipped (.*):\n\n```\n((?:(?!```).*\n)*)```/gm)].map(([, of, list]) => [
    of,
    list.trimEnd(),
  ]);
  return { columns, skips: new Map(skips) };
}

/**
 * A table of test files, with a column for each machine, and what each part skipped.
 * @param machines for each its name in the head, the check for its column in OUT.md, and its parts: [name of the
 * part, text after "Skipped"]
 */
function testTable(title, machines) {
  if (!machines.some(({ parts }) => parts.some(([part]) => results(part).size > 0))) return [];
  const before = earlier(title);
  const columns = [];
  const skips = [];
  for (const { head, known, parts } of machines) {
    const [oldHead, old] = before.columns.find(([name]) => known(name)) ?? [undefined, new Map()];
    const ran = parts.filter(([part]) => results(part).size > 0);
    const cells = new Map(ran.length < parts.length ? [...old].filter(([, cell]) => cell !== '–') : []);
    for (const [part] of ran) for (const [path, cell] of results(part)) cells.set(path.slice('test/'.length), cell);
    if (cells.size > 0) columns.push([ran.length > 0 ? head() : oldHead, cells]);
    for (const [part, of] of parts) {
      const list =
        results(part).size > 0 ? /^skipped:\n((?: {2}.*\n)+)/m.exec(text(part))?.[1]?.trimEnd() : before.skips.get(of);
      if (list) skips.push('', `Skipped ${of}:`, '', '```', list, '```');
    }
  }
  const table = [
    `| passed of all | ${columns.map(([name]) => name).join(' | ')} |`,
    `|---|${'---|'.repeat(columns.length)}`,
  ];
  for (const path of [...new Set(columns.flatMap(([, cells]) => [...cells.keys()]))].sort())
    table.push(`| ${path} | ${columns.map(([, cells]) => cells.get(path) ?? '–').join(' | ')} |`);
  return [...table, ...skips];
}

/** The sum at the end of a log. judge.mjs runs once for each cgroup manager: the sum of all its runs. */
function sum(name) {
  if (name !== 'judge-v2')
    return /^(?:(?:runt|deploy): )?(\d+ passed, \d+ failed, \d+ skipped)$/m.exec(text(name))?.at(-1) ?? 'did not end';
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
  `Here, in the last run, is Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? 'a CPU'}.`,
  '',
  '| part | when | seconds | result |',
  '|---|---|---|---|',
];
const enginesOnV2 = [
  ['engines-v2-podman-cgroupfs', 'podman on cgroup v2'],
  ['engines-v2-podman-systemd', 'podman on cgroup v2 under systemd'],
  ['engines-v2-others-cgroupfs', 'containerd, conmon and docker on cgroup v2'],
  ['engines-v2-others-systemd', 'containerd, conmon and docker on cgroup v2 under systemd'],
];
const parts = {
  arm64: "arm64: built here, run in QEMU's user mode",
  'arm64-vm': "a part of the kernel tests on Debian trixie's Linux for arm64, QEMU",
  release: 'files of a release: checked, built twice with the same bytes',
  newcomer: 'commands of README and getting started on a fresh Debian, with the files of a release',
  'api-docs': "the reference of the library's API, without a warning",
  tests: 'all tests, here',
  vm: 'kernel tests on cgroup v2 alone, User Mode Linux',
  initramfs: 'containers on the root of an initramfs, User Mode Linux',
  'systemd-bookworm': "kernel tests under Debian bookworm's systemd (252), User Mode Linux",
  'systemd-sid': "kernel tests under Debian sid's systemd, User Mode Linux",
  apparmor: 'tests of labels with AppArmor on, QEMU',
  selinux: 'tests of labels with SELinux enforcing, QEMU',
  bullseye: "kernel tests on Debian bullseye's Linux, QEMU",
  bookworm: "kernel tests on Debian bookworm's Linux, QEMU",
  sid: "kernel tests on Debian sid's Linux, QEMU",
  'bullseye-2': "kernel tests on Debian bullseye's Linux, the second half, QEMU",
  'bookworm-2': "kernel tests on Debian bookworm's Linux, the second half, QEMU",
  'sid-2': "kernel tests on Debian sid's Linux, the second half, QEMU",
  judge: "the OCI's validation programs, beside crun and runc",
  'judge-v2': "the OCI's validation programs on cgroup v2, User Mode Linux",
  engines: 'engines, with runt as with runc',
  'engines-qemu': 'podman checkpoint and restore, with runt as with runc, QEMU',
  criu: "checkpoint and restore with the real criu, Debian trixie's Linux, QEMU",
  ...Object.fromEntries(enginesOnV2.map(([name, what]) => [name, `${what}, with runt as with runc, User Mode Linux`])),
  containerd: 'containerd 1.6, 1.7 and 2.1, with its shim as with that of runc',
  'containerd-newer': 'containerd 2.4, with its shim as with that of runc',
  'containerd-serve': 'containerd 2.1, with `runt serve` as with the shim of runc',
  'containerd-newer-serve': 'containerd 2.4, with `runt serve` as with the shim of runc',
  'containerd-v2': 'containerd 1.7 on cgroup v2, with its shim as with that of runc, User Mode Linux',
  ...Object.fromEntries(
    Object.entries({ '': 'containerd 2.1', '-newer': 'containerd 2.4' }).flatMap(([which, containerd]) =>
      Object.entries({ ttrpc: "runt's shim", grpc: "runt's shim over gRPC", serve: '`runt serve`' }).map(
        ([route, by]) => [
          `endures${which}-${route}`,
          `200 containers of ${containerd} through kills of it and of ${by}`,
        ],
      ),
    ),
  ),
  cri: "Kubernetes' CRI: crictl and critest, with runc and with runt",
  'cri-grpc': "Kubernetes' CRI: crictl and critest, with runt's shim over gRPC",
  'cri-serve': "Kubernetes' CRI: crictl and critest, with `runt serve`",
  'cri-newer': "Kubernetes' CRI of containerd 2.4: crictl and critest",
  'cri-endures': "200 containers of Kubernetes' CRI through kills of containerd and of `runt serve`",
  'cri-newer-endures': "200 containers of Kubernetes' CRI of containerd 2.4 through kills of it and of `runt serve`",
  density: 'pods a second and memory, by each way to runt',
  'cri-v2': "Kubernetes' CRI on cgroup v2, with runc and with runt, User Mode Linux",
  deploy: 'the manifests, the chart and the image of `deploy/`',
  node: "a kubelet's pods on containerd 2.1, with and without an API server, with runt as with runc",
  'node-v2': "a kubelet's pods with systemd's cgroups on cgroup v2, with runt as with runc, User Mode Linux",
  'node-e2e': "Kubernetes' [NodeConformance] on containerd 2.1, with runt as with runc",
  'node-lifecycle': "Kubernetes' [Serial] tests of containers through restarts, with runt as with runc",
  'node-serial': "Kubernetes' other [Serial] and [Disruptive] tests, with runt as with runc",
  crio: 'CRI-O: crictl and critest, with runc and with runt',
  'crio-v2': 'CRI-O on cgroup v2: crictl and a part of critest, with runc and with runt, User Mode Linux',
  runc: "runc's own tests as root, with runc and with runt",
  'runc-rootless': "runc's own tests as an ordinary user, with runc and with runt",
  'runc-v2-cgroupfs': "runc's own tests on cgroup v2, with runc and with runt, User Mode Linux",
  'runc-v2-systemd': "runc's own tests on cgroup v2 under systemd, with runc and with runt, User Mode Linux",
  crun: "crun's own tests, with crun and with runt",
  servers: 'Servers and tools of Debian, each from one line of `spec`',
  'servers-v2': 'systemd from one line of `spec` on cgroup v2, User Mode Linux',
  peers: 'the snippets of execa, dockerode and testcontainers in docs/coming-from.md',
  http2: 'HTTP/2 and gRPC of the static binary: h2spec, and each method by grpcurl',
  'shim-memory': 'the memory of a shim after 10,000 containers and 10,000 execs',
  'soak-containers': 'containers through their whole life, four at a time: nothing grows',
  'soak-supervised': 'the same with a supervisor and a user namespace',
  'soak-execs': 'execs in one container, four at a time: nothing grows',
  'killed-scripts': 'kill -9 of scripts at ten moments: no process, mount or cgroup is left',
  'killed-scripts-v2': 'the same with `--systemd-cgroup`, User Mode Linux',
  random: 'random commands of eight clients: each answer is one of the model',
  sanitize: 'a shard of the tests with ASan and UBSan; TSan, valgrind',
  analyse: 'gcc -fanalyzer, cppcheck and clang-tidy over the C code',
  faults: 'each system call fails, and is a point of SIGKILL',
  'faults-v2': 'the same in part with systemd on cgroup v2, User Mode Linux',
  fuzz: 'fuzzing',
  bench: 'bench',
};
const unsummed = [
  'arm64',
  'release',
  'newcomer',
  'api-docs',
  'runc',
  'runc-rootless',
  'runc-v2-cgroupfs',
  'runc-v2-systemd',
  'crun',
  'fuzz',
  'bench',
  'density',
  'analyse',
];
for (const [name, what] of Object.entries(parts)) {
  const end = ending(name);
  const row = kept(new RegExp(`^\\| ${what} \\|.*$`, 'm'));
  const more = end && !unsummed.includes(name) ? `: ${sum(name)}` : '';
  lines.push(
    end
      ? `| ${what} | ${end.date} | ${end.seconds} | ${end.how}${more} |`
      : (row ?? `| ${what} | – | – | did not run |`),
  );
}

section(
  'Tests',
  testTable('Tests', [
    { head: () => 'here', known: (name) => name === 'here', parts: [['tests', 'here']] },
    { head: () => 'cgroup v2', known: (name) => name === 'cgroup v2', parts: [['vm', 'on cgroup v2']] },
  ]),
);
section(
  'Other kernels',
  testTable(
    'Other kernels',
    Object.entries({
      bullseye: ['bullseye', 'bullseye-2'],
      bookworm: ['bookworm', 'bookworm-2'],
      sid: ['sid', 'sid-2'],
    })
      .concat(['systemd-bookworm', 'systemd-sid', 'apparmor', 'selinux', 'criu'].map((name) => [name, [name]]))
      .map(([name, of]) => ({
        head: () => `${name} ${/^linux: (\d+\.\d+)/m.exec(of.map(text).join('\n'))?.[1] ?? ''}`.trim(),
        known: (head) => head.split(' ')[0] === name,
        parts: of.map((part) => [part, `with ${part}`]),
      })),
  ),
);

// Progress is on separate lines; the sums at the end belong to the text.
for (const [name, title] of [
  ['judge', "The OCI's validation programs"],
  ['judge-v2', "The OCI's validation programs on cgroup v2"],
]) {
  const judge = printed(name, (l) => !/^judge: /.test(l) && !/^(go|vm): /.test(l));
  const indented = judge.map((l) => (/^(runt|crun|runc): /.test(l) ? `    ${l}` : l));
  section(title, judge.length > 1 ? ['See docs/testing.md.', '', ...indented] : []);
}

// For each engine of each suite (and cgroup manager): a header, the versions, a line per scenario, and the sum.
for (const [name, title] of [
  ['engines', 'Engines'],
  ...enginesOnV2.map(([name, what]) => [name, what[0].toUpperCase() + what.slice(1)]),
  ['containerd', 'The shim under containerd'],
  ['containerd-newer', 'The shim under a containerd newer than those of Debian'],
  ['containerd-serve', '`runt serve` under containerd'],
  ['containerd-newer-serve', '`runt serve` under a containerd newer than those of Debian'],
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
  section(title, engines.length > 0 ? ['See docs/testing.md.', '', ...engines] : []);
}

// As printed, without the tests that passed with every handler.
for (const [name, title] of [
  ['cri', "Kubernetes' CRI"],
  ['cri-grpc', "Kubernetes' CRI over gRPC"],
  ['cri-serve', "Kubernetes' CRI by `runt serve`"],
  ['cri-newer', "Kubernetes' CRI of a containerd newer than those of Debian"],
  ['cri-v2', "Kubernetes' CRI on cgroup v2"],
  ['node', 'A kubelet'],
  ['node-v2', 'A kubelet on cgroup v2'],
  ['node-e2e', "Kubernetes' tests of a node"],
  ['node-lifecycle', "Kubernetes' serial tests of a node: restarts"],
  ['node-serial', "Kubernetes' other serial tests of a node"],
  ['crio', 'CRI-O'],
  ['crio-v2', 'CRI-O on cgroup v2'],
  ['runc', "runc's own tests"],
  ['runc-rootless', "runc's own tests as an ordinary user"],
  ['runc-v2-cgroupfs', "runc's own tests on cgroup v2"],
  ['runc-v2-systemd', "runc's own tests on cgroup v2 under systemd"],
  ['crun', "crun's own tests"],
  ['servers', 'Servers of Debian'],
  ['servers-v2', 'systemd on cgroup v2'],
  ['peers', 'Other libraries'],
  ['http2', 'HTTP/2'],
]) {
  const noise = /^$|^(passed +){2,}|^(cri|engines|vm): build|^engines: built|^go: |warning: Using '/;
  const cri = printed(name, (l) => !noise.test(l)).map((l) => `    ${l}`);
  section(title, cri.length > 1 ? ['See docs/testing.md.', '', ...cri] : []);
}

const density = printed('density', (l) => l.startsWith('|'));
section('Pods', density.length > 2 ? density : []);

const kills = [...text('tests').matchAll(/^ +(create|run|start|exec|delete): (\d+) of (\d+) killed .*$/gm)];
const killed = kills.length > 0 ? ['| command | moments | still ran | left |', '|---|---|---|---|'] : [];
for (const [line, command, cuts, all] of kills) {
  const left = Object.entries(JSON.parse(line.slice(line.indexOf('{')))).map(([status, n]) => `${n} ${status}`);
  killed.push(`| ${command} | ${all} | ${cuts} | ${left.join(', ')} |`);
}
section('Killed at random moments', killed);
section(
  'Faults',
  printed('faults', (l) => l.startsWith('|')),
);
const fuzz = text('fuzz')
  .split('\n')
  .filter((l) => /^(fuzz|(?:decode|json|seccomp|users|http2|memory)_fuzz|random-(?:configs|texts)):/.test(l));
section('Fuzzing', fuzz.length > 0 ? ['```', ...fuzz, '```'] : []);
const bench = text('bench')
  .trimEnd()
  .split('\n')
  .filter((l) => !l.startsWith('bench: written'));
section('Bench', bench.length > 1 ? ['See docs/bench.md.', '', '```', ...bench, '```'] : []);
const tables = `${lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')}\n`;
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, tables);
const layout = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'v2' : 'v1';
const excuses = JSON.parse(readFileSync(new URL('../conformance/runc/known.json', import.meta.url), 'utf8'));
writeFileSync(shortPage, page(tables, existsSync(shortPage) ? readFileSync(shortPage, 'utf8') : '', layout, excuses));
