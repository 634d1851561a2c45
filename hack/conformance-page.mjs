// docs/conformance.md, the short page, from the long tables of hack/conformance.mjs. A part that is not in the tables,
// because another checkout ran it, keeps what the page had.

/** The lines of a section, without its heading and empty lines at its ends; empty if there is none. */
function section(text, title) {
  const lines = text.split('\n');
  const from = lines.indexOf(`## ${title}`);
  if (from < 0) return [];
  const length = lines.slice(from + 1).findIndex((line) => line.startsWith('## '));
  return lines
    .slice(from + 1, length < 0 ? undefined : from + 1 + length)
    .join('\n')
    .trim()
    .split('\n');
}

/** The rows of the tables in some lines, as cells; heads and rulers left out. */
function rows(lines) {
  const all = lines.filter((line) => line.startsWith('| ') || line.startsWith('|-'));
  return all.filter((_, i) => !all[i].startsWith('|-') && !all[i + 1]?.startsWith('|-')).map((line) => cells(line));
}
const cells = (line) => line.slice(2, -2).split(' | ');
const row = (...columns) => `| ${columns.join(' | ')} |`;

/** Rows by a key: those of `old`, replaced by and before those of `made`. */
function merged(old, made, key) {
  const known = new Map(old.map((columns) => [key(columns), columns]));
  for (const columns of made) known.set(key(columns), columns);
  return [...known.values()];
}

/** Parts whose numbers are in the table of engines, in that of the peers' own tests, or in docs/bench.md. */
const elsewhere = /^(?:engines,|podman|containerd|Kubernetes' CRI|CRI-O|runc's own|crun's own|bench$)/;

/** When each part of the engines ran, by the title of its section. */
const titles = {
  Engines: 'engines, with runt as with runc',
  'Podman on cgroup v2': 'podman on cgroup v2, with',
  'Podman on cgroup v2 under systemd': 'podman on cgroup v2 under systemd',
  'Containerd, conmon and docker on cgroup v2': 'containerd, conmon and docker on cgroup v2, with',
  'Containerd, conmon and docker on cgroup v2 under systemd':
    'containerd, conmon and docker on cgroup v2 under systemd',
  'The shim under containerd': 'containerd 1.6, 1.7 and 2.1',
  'The shim under a containerd newer than those of Debian': 'containerd 2.4, with its shim',
  '`runt serve` under containerd': 'containerd 2.1, with `runt serve`',
  '`runt serve` under a containerd newer than those of Debian': 'containerd 2.4, with `runt serve`',
  'The shim under containerd on cgroup v2': 'containerd 1.7 on cgroup v2',
  'Checkpoint and restore by podman': 'podman checkpoint and restore',
};
/** Sections of crictl and critest. */
const cri = {
  "Kubernetes' CRI": "Kubernetes' CRI: crictl and critest, with runc and with runt",
  "Kubernetes' CRI over gRPC": "Kubernetes' CRI: crictl and critest, with runt's shim over gRPC",
  "Kubernetes' CRI by `runt serve`": "Kubernetes' CRI: crictl and critest, with `runt serve`",
  "Kubernetes' CRI of a containerd newer than those of Debian": "Kubernetes' CRI of containerd 2.4: ",
  "Kubernetes' CRI on cgroup v2": "Kubernetes' CRI on cgroup v2",
  'CRI-O': 'CRI-O: ',
  'CRI-O on cgroup v2': 'CRI-O on cgroup v2',
};
/** What a handler of critest's is, beside the shim over ttrpc. */
const handlers = { grpc: 'gRPC', serve: '`runt serve`' };

/** `podman 5.8.6` of "podman version 5.8.6, buildah version …". */
const version = (text) =>
  text
    .split(', ')[0]
    .replace(' version ', ' ')
    .replace(/[+~](?:dfsg|ds|unknown)[^ ]*$/, '')
    .replace(' v', ' ');
const means = {
  shim: "runt's shim",
  'shim-grpc': "runt's shim, gRPC",
  serve: '`runt serve`',
  containerd: "runc's shim, runt",
};

function engineRows(tables, when, layout) {
  const made = [];
  for (const [title, part] of Object.entries(titles)) {
    const lines = section(tables, title);
    for (const [engine, suite, versions, passed, failed, skipped] of rows(lines)) {
      const [debian, driver] = suite.split(', ');
      // That containerd cannot do it at all; podman and CRI-O call conmon.
      if (versions.startsWith('skipped') || engine === 'conmon') continue;
      const by = title.startsWith('Checkpoint') ? 'criu' : (means[engine] ?? '');
      made.push([
        version(versions),
        by,
        debian,
        driver ? `v2, ${driver}` : layout,
        passed,
        failed,
        skipped,
        when(part),
      ]);
    }
  }
  for (const [title, part] of Object.entries(cri)) {
    let engine = '';
    let suite = '';
    let by = new Set();
    for (const line of section(tables, title)) {
      const [, handler] = /^ {4}with ([a-z]+): \d+ passed/.exec(line) ?? [];
      if (handlers[handler]) by.add(handlers[handler]);
      const [, names] = /^ {4}(.*), runc version .*crictl version/.exec(line) ?? [];
      if (names) engine = version(names);
      suite = /^ {4}── critest, [a-z]+ of (.+)$/.exec(line)?.[1] ?? suite;
      const sum = /^ {4}critest: (\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
      if (!sum) continue;
      const [debian, driver] = suite.split(', ');
      const at = driver ? `v2, ${driver}` : layout;
      made.push([engine, ['critest', ...by].join(', '), debian, at, ...sum.slice(1), when(part)]);
      by = new Set();
    }
  }
  return made;
}

/** Rows of both managers of cgroups with the same numbers, as one. */
function joined(list) {
  const all = [];
  for (const columns of list) {
    const v2 = /^v2, (.*)/.exec(columns[3]);
    const other = v2 && all.find((o) => o[3].startsWith('v2, ') && same(o, columns));
    if (other) {
      other[3] += ` and ${v2[1]}`;
      if (other[7] < columns[7]) other[7] = columns[7];
    } else all.push([...columns]);
  }
  return all;
}
/** What `joined` has joined. */
const split = (list) =>
  list.flatMap((columns) => {
    const [first, second] = columns[3].split(' and ');
    const one = columns.with(3, first);
    return second ? [one, columns.with(3, `v2, ${second}`)] : [one];
  });
/** Whether two rows differ in the manager of cgroups and the day alone. */
const same = (a, b) => [0, 1, 2, 4, 5, 6].every((i) => a[i] === b[i]);

/** Lines `| programs | reason |` of the validation programs that fail with runt. */
function failingPrograms(tables) {
  const reasons = new Map();
  for (const title of ["The OCI's validation programs", "The OCI's validation programs on cgroup v2"]) {
    for (const [program, runt, , , reason] of rows(section(tables, title))) {
      if (!runt?.startsWith('**failed**') || reason === undefined) continue;
      const of = reasons.get(reason.trim()) ?? new Set();
      reasons.set(reason.trim(), of.add(program.replace(/^linux_cgroups_(relative_)?/, 'cgroups_')));
    }
  }
  // One reason is the beginning of another: the same, at length.
  const brief = [...reasons].filter(
    ([reason]) => ![...reasons.keys()].some((r) => r !== reason && reason.startsWith(r)),
  );
  return brief.map(([reason, programs]) => row([...programs].join(', '), reason));
}

/**
 * The section of critest: what fails with runc and with runt, a line for each engine, and why other failures are
 * excused.
 * @param old its lines on the page; an engine without tables keeps its own
 */
function criSection(tables, old) {
  const failing = new Map(old.map((line) => /^\* (containerd|CRI-O): (.+)$/.exec(line)?.slice(1)).filter(Boolean));
  const alone = '* with runt alone: ';
  const excuses = new Set(
    old.filter((line) => line.startsWith(alone)).flatMap((l) => l.slice(alone.length).split('; ')),
  );
  const names = new Map();
  for (const title of Object.keys(cri)) {
    let engine = '';
    for (const line of section(tables, title)) {
      if (/^ {4}── critest/.test(line)) engine = title.startsWith('CRI-O') ? 'CRI-O' : 'containerd';
      if (engine && !names.has(engine)) names.set(engine, new Set());
      const [, runc, runt, name] =
        /^ {4}(passed|failed|skipped) +(passed|failed|skipped) +(?:(?:passed|failed|skipped) +)?(.+)$/.exec(line) ?? [];
      if (runt === 'failed' && runc === 'failed') names.get(engine)?.add(name.replace(/ (?:runtime )?should .*$/, ''));
      const [, excuse] = /^ {4}excused with [a-z, ]+: (.*)$/.exec(line) ?? [];
      if (excuse) excuses.add(excuse);
    }
  }
  for (const [engine, of] of names) failing.set(engine, [...of].join('; '));
  return [
    'Tests of critest that fail with runc and with runt, by engine, and why others fail with runt alone:',
    '',
    ...[...failing].filter(([, of]) => of !== '').map(([engine, of]) => `* ${engine}: ${of}`),
    ...(excuses.size > 0 ? [`${alone}${[...excuses].join('; ')}`] : []),
  ];
}

/** The sections of the peers' own tests, with the beginning of their part's name. */
const ownTests = {
  "runc's own tests": "runc's own tests as root",
  "runc's own tests as an ordinary user": "runc's own tests as an ordinary user",
  "runc's own tests on cgroup v2": "runc's own tests on cgroup v2, with",
  "runc's own tests on cgroup v2 under systemd": "runc's own tests on cgroup v2 under systemd",
  "crun's own tests": "crun's own tests",
};

/** Rows of the peers' own tests: which, the results of the peer and of runt, both without words too, and when. */
function peerRows(tables, when) {
  const made = new Map();
  for (const [title, part] of Object.entries(ownTests))
    for (const line of section(tables, title)) {
      const [, as, sums] = /^ {4}(?:runc|crun|runt) as ([^,]+), (?:as written|without words): (.*)$/.exec(line) ?? [];
      if (!as) continue;
      const of = `${title.slice(0, 4)}, ${as.replace(' on cgroup', ', cgroup')}`;
      made.set(of, [...(made.get(of) ?? [when(part)]), sums.match(/\d+/g).join(' / ')]);
    }
  return [...made].map(([of, [date, peer, own, peerAgain = '', ownAgain = '']]) => [
    of,
    peer,
    own,
    peerAgain,
    ownAgain,
    date,
  ]);
}

const killsOfAll = '200 containers through kills of containerd and of what serves them';

/** One row for the parts in which 200 containers live through kills: with each containerd and each way to runt. */
function joinedKills(parts) {
  const kills = parts.filter(([name]) => name.startsWith('200 containers of '));
  if (kills.length === 0) return parts;
  const failed = kills.filter(([, , result]) => !result.startsWith('passed'));
  const result = failed.length > 0 ? `failed: ${failed.map(([name]) => name).join('; ')}` : 'passed';
  const row = [killsOfAll, kills[0][1], result];
  return [...parts.filter((part) => !kills.includes(part)), row];
}

/**
 * @param tables what hack/conformance.mjs has written
 * @param before the page as it is
 * @param layout the version of cgroups on this machine
 * @param excuses conformance/runc/known.json
 */
export function page(tables, before, layout, excuses) {
  const all = rows(tables.split('\n## ')[0].split('\n'));
  const parts = all.filter(([, date]) => date !== '–');
  const when = (part) => parts.find(([name]) => name.startsWith(part))?.[1] ?? '–';
  // A part that has another name now, or is gone, has no row.
  const names = new Set([killsOfAll, ...all.map(([name]) => name)]);
  const belongs = ([name]) => names.has(name) && !elsewhere.test(name);
  const results = merged(
    rows(section(before, 'Results')).filter(belongs),
    joinedKills(parts.filter(belongs).map(([name, date, , result]) => [name, date, result])),
    ([name]) => name,
  );
  /** An update of an engine by Debian takes the row of the one before; containerd has several on one suite. */
  const key = ([engine, by, debian, at]) => [engine.replace(/(\d+\.\d+)\..*/, '$1'), by, debian, at].join(' | ');
  const engines = joined(merged(split(rows(section(before, 'Engines'))), engineRows(tables, when, layout), key));
  const programs = failingPrograms(tables);
  const own = merged(rows(section(before, "The peers' own tests")), peerRows(tables, when), ([as]) => as);
  const machine = /^Here, in the last run, is (.*)\.$/m.exec(tables)?.[1] ?? /"Here" is (.*)\.$/m.exec(before)?.[1];
  return `${[
    '# Conformance',
    '',
    '<!-- Written by `make test-all`; do not edit. -->',
    '',
    'What ran where in the last `make test-all`, what fails, and why. `build/conformance/tables.md` has the long tables;',
    `[testing](testing.md) tells how each part works. "Here" is ${machine}.`,
    '',
    '<!-- not run: it takes an hour -->',
    '```sh',
    'RUNT_TEST_ALL="tests engines" make test-all',
    '```',
    '',
    '## Results',
    '',
    row('part', 'when', 'result'),
    '|---|---|---|',
    ...results.map((columns) => row(...columns)),
    '',
    '## Engines',
    '',
    'Each gives with runt what it gives with runc. Skipped is what fails with runc, or lacks criu, a disk or AppArmor there.',
    '',
    row('engine', 'by', 'Debian', 'cgroup', 'passed', 'failed', 'skipped', 'when'),
    '|---|---|---|---|---|---|---|---|',
    ...engines.map((columns) => row(...columns)),
    '',
    "## The OCI's validation programs",
    '',
    'These fail with runt, most of them with crun and runc too:',
    '',
    row('program', 'why'),
    '|---|---|',
    ...(programs.length > 0 ? programs : rows(section(before, "The OCI's validation programs")).map((r) => row(...r))),
    '',
    "## Kubernetes' CRI",
    '',
    ...criSection(tables, section(before, "Kubernetes' CRI")),
    '',
    "## The peers' own tests",
    '',
    "As they are, and runc's without assertions about words. Below and in `known.json`: why tests fail that the peer passes.",
    '',
    row(
      'tests, as',
      'peer: passed / failed / skipped',
      'runt: passed / failed (peer passes) / failed (both) / skipped',
      'peer, without words',
      'runt, without words',
      'when',
    ),
    '|---|---|---|---|---|---|',
    ...own.map((columns) => row(...columns)),
    '',
    ...excuses
      .filter(({ words, tests }) => !words && tests.length > 1)
      .map(({ why, tests }) => `* ${why} (${tests.length})`),
  ].join('\n')}\n`;
}
