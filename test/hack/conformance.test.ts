/** hack/conformance.mjs: the long tables and the short page from the logs of some parts; what did not run stays. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('conformance page');

const engine = (name: string, suite: string, versions: string, sum: string): string =>
  `── ${name} of ${suite}\n${versions}, runc version 1.3.6+ds1\npassed   ${name}/one   2 s\n${name}: ${sum}\n`;

/** Runs the script on logs of parts; returns the page. */
function page(dir: string, logs: Record<string, string>): string[] {
  const from = mkdtempSync(join(dir, 'logs-'));
  for (const [name, text] of Object.entries(logs)) {
    writeFileSync(join(from, name), `${text}runt: 1 passed, 0 failed, 0 skipped\n`);
    writeFileSync(join(from, `${name}.status`), '0 60 2026-12-01\n');
  }
  execFileSync(process.execPath, ['hack/conformance.mjs', from, join(dir, 'tables.md'), join(dir, 'page.md')]);
  return readFileSync(join(dir, 'page.md'), 'utf8').split('\n');
}

test('a part that runs again replaces its rows, and the others stay', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-conformance-'));
  try {
    const v2 = (driver: string, sum: string) => engine('podman', `trixie, ${driver}`, 'podman version 5.4.2', sum);
    const first = page(dir, {
      engines: engine('docker', 'sid', 'docker 28.5.2+dfsg4, containerd 2.1.9', '43 passed, 0 failed, 0 skipped'),
      'engines-v2-podman-cgroupfs': v2('cgroupfs', '117 passed, 0 failed, 9 skipped'),
      'engines-v2-podman-systemd': v2('systemd', '117 passed, 0 failed, 9 skipped'),
      fuzz: 'fuzz: decode: 1 edges covered\n',
    });
    assert.ok(
      first.some((line) => /^\| docker 28\.5\.2 \| .*\| sid \| v[12] \| 43 \| 0 \| 0 \| 2026-12-01 \|$/.test(line)),
    );
    assert.ok(first.includes('| podman 5.4.2 |  | trixie | v2, cgroupfs and systemd | 117 | 0 | 9 | 2026-12-01 |'));
    assert.ok(first.includes('| fuzzing | 2026-12-01 | passed |'));

    rmSync(join(dir, 'tables.md'));
    const second = page(dir, { 'engines-v2-podman-systemd': v2('systemd', '116 passed, 0 failed, 10 skipped') });
    assert.ok(second.some((line) => line.startsWith('| docker 28.5.2 |')));
    assert.ok(second.includes('| podman 5.4.2 |  | trixie | v2, cgroupfs | 117 | 0 | 9 | 2026-12-01 |'));
    assert.ok(second.includes('| podman 5.4.2 |  | trixie | v2, systemd | 116 | 0 | 10 | 2026-12-01 |'));
    assert.ok(second.includes('| fuzzing | 2026-12-01 | passed |'));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a part without a name of its own any more loses its row; what docs/bench.md has is not repeated', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-conformance-'));
  try {
    const kept = "| kernel tests on Debian sid's Linux, the second half, QEMU | 2026-11-30 | passed |";
    const kills = '| 200 containers through kills of containerd and of what serves them | 2026-11-30 | passed |';
    const gone = '| a part of another name | 2026-11-30 | passed |';
    const before = ['## Results', '', '| part | when | result |', '|---|---|---|', kept, gone, kills, ''];
    writeFileSync(join(dir, 'page.md'), before.join('\n'));
    const lines = page(dir, { 'node-e2e': '', bench: '' });
    assert.ok(lines.includes(kept));
    assert.ok(lines.includes(kills));
    assert.not.ok(lines.includes(gone));
    const own = lines.filter((line) => line.startsWith("| Kubernetes' [NodeConformance]"));
    assert.is(own.length, 1);
    assert.match(own[0] ?? '', /passed: 1 passed, 0 failed, 0 skipped \|$/);
    assert.not.ok(lines.some((line) => line.startsWith('| bench |')));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('each part of hack/test-all has a row', () => {
  const parts = [...readFileSync('hack/test-all', 'utf8').matchAll(/^ *part ([a-z0-9-]+) /gm)].map(([, name]) => name);
  const dir = mkdtempSync(join(tmpdir(), 'runt-conformance-'));
  try {
    page(dir, Object.fromEntries(parts.map((name) => [name, `of ${name}\n`])));
    const tables = readFileSync(join(dir, 'tables.md'), 'utf8');
    const rows = tables.match(/^\| .* \| 2026-12-01 \| 60 \|/gm) ?? [];
    assert.is(rows.length, parts.length, rows.join('\n'));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** A log of conformance/cri/run, with runc's handler and another one. */
const critest = (engine: string, suite: string, version: string, handler: string, failing: string): string =>
  `── critest, ${engine} of ${suite}\n${version}, runc version 1.3.6+ds1, crictl version v1.37.0\nrunc     ${handler}\n` +
  `failed   failed   ${failing} runtime should work [Conformance]\npassed   passed   Networking\n` +
  `with ${handler}: 104 passed, 1 failed, 38 skipped\ncritest: 104 passed, 0 failed, 38 skipped\n`;

test('critest has a row for each engine, Debian and handler; what fails with an engine that did not run stays', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-conformance-'));
  try {
    const first = page(dir, {
      crio:
        critest('crio', 'sid', 'crio version 1.34.0', 'runt', 'PodSandbox') +
        critest('crio', 'sid', 'crio version 1.34.0', 'runt', 'Streaming') +
        'excused with runt: a race\n',
    });
    assert.ok(first.includes('* CRI-O: PodSandbox; Streaming'));
    assert.ok(first.includes('* with runt alone: a race'));
    rmSync(join(dir, 'tables.md'));
    const second = page(dir, {
      'cri-grpc':
        critest('containerd', 'sid', 'containerd 2.1.9+unknown', 'grpc', 'Image Manager') +
        critest('containerd', 'trixie', 'containerd 1.7.24~ds1', 'grpc', 'Image Manager'),
    });
    const row = (engine: string, suite: string) =>
      second.some((line) =>
        new RegExp(`^\\| containerd ${engine} \\| critest, gRPC \\| ${suite} \\| v[12] \\| 104 \\| 0 \\| 38 \\|`).test(
          line,
        ),
      );
    assert.ok(row('2.1.9', 'sid'));
    assert.ok(row('1.7.24', 'trixie'));
    assert.ok(second.includes('* CRI-O: PodSandbox; Streaming'));
    assert.ok(second.includes('* containerd: Image Manager'));
    assert.ok(second.includes('* with runt alone: a race'));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** The last lines of conformance/runc/run. */
const runc = (as: string, passed: number): string =>
  `── runc's tests as ${as}\nrunc version 1.5.3, bats 1.13.0\n` +
  ['as written', 'without words']
    .map(
      (what, i) =>
        `runc as ${as}, ${what}: ${300 + i} passed, 20 failed, 36 skipped\n` +
        `runt as ${as}, ${what}: ${passed + i} passed, 8 failed (runc passes), 20 failed with both, 40 skipped\n`,
    )
    .join('');

test("the peers' own tests have a row for each kind of user and cgroups, with the results as written and without words", () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-conformance-'));
  try {
    const row = (as: string, passed: number) =>
      `| runc, ${as} | 300 / 20 / 36 | ${passed} / 8 / 20 / 40 | 301 / 20 / 36 | ${passed + 1} / 8 / 20 / 40 | 2026-12-01 |`;
    const first = page(dir, { runc: runc('root', 250), 'runc-rootless': runc('rootless', 140) + runc('plain', 90) });
    for (const line of [row('root', 250), row('rootless', 140), row('plain', 90)])
      assert.ok(first.includes(line), line);
    rmSync(join(dir, 'tables.md'));
    const second = page(dir, { runc: runc('root', 260) });
    for (const line of [row('root', 260), row('rootless', 140), row('plain', 90)])
      assert.ok(second.includes(line), line);
    const crun = runc('root', 80)
      .replaceAll('runc', 'crun')
      .replaceAll(/.*without words.*\n/g, '');
    const third = page(dir, { 'runc-v2-systemd': runc('root on cgroup v2 systemd', 200), crun });
    for (const line of [
      row('root, cgroup v2 systemd', 200),
      '| crun, root | 300 / 20 / 36 | 80 / 8 / 20 / 40 |  |  | 2026-12-01 |',
      row('plain', 90),
    ])
      assert.ok(third.includes(line), line);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
