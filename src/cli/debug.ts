/** `runt debug`: one report of all that is known of a container, to be read or to be sent along with a question. */
import { type DebugReport, debugReport } from '../container/debug.js';
import { printable } from '../plan/printable.js';
import { print } from './output.js';
import { rootDirectory } from './root.js';
import type { Call } from './syntax.js';

export function command({ global, flags, args }: Call<'debug'>): number {
  const report = debugReport({ root: rootDirectory(global), id: args[0]! });
  print(flags.format === 'json' ? `${JSON.stringify(report, null, 2)}\n` : text(report));
  return 0;
}

function text(r: DebugReport): string {
  const { state } = r;
  const lines = [
    `container ${r.id}: ${state ? state.status : 'its state cannot be used'}${state?.pid ? `, pid ${state.pid}` : ''}`,
  ];
  const section = (title: string, rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return;
    const width = Math.max(...rows.map((row) => row[0]!.length)) + 2;
    lines.push(
      '',
      title,
      ...rows.map(([first = '', ...rest]) => `  ${first.padEnd(width)}${rest.join(' ')}`.trimEnd()),
    );
  };
  section('state', [
    ...(r.problem === undefined ? [] : [['problem', r.problem]]),
    ['directory', r.directory],
    ...(state
      ? [
          ['bundle', state.bundle],
          ['root fs', state.rootfs],
          ['created', `${state.created}${state.owner && ` by ${state.owner}`}`],
          ['spec', state.ociVersion],
        ]
      : []),
    ...(r.config === undefined ? [] : [['config', r.config]]),
    ['supervised', r.supervised ? 'yes' : 'no'],
    ...(r.exit === undefined ? [] : [['exit', JSON.stringify(r.exit)]]),
    ...(r.frozen ? [['frozen', 'yes']] : []),
  ]);
  section('annotations', Object.entries(state?.annotations ?? {}));
  if (r.lastError) {
    const { time, command: name, code, report } = r.lastError;
    lines.push('', 'last error', `  ${time} ${name} ${code}`, ...report.split('\n').map((l) => `  ${l}`));
  }
  section(
    'processes',
    r.processes.map((p) => [String(p.pid), p.state, p.command]),
  );
  section('identity', Object.entries(r.identity));
  section(
    'namespaces',
    r.namespaces.map((n) => [n.type, n.id, n.own ? '' : '(shared with this command)']),
  );
  for (const { path, exists, files } of r.cgroups)
    section(`cgroup ${path}${exists ? '' : ' (gone)'}`, Object.entries(files));
  const empty = r.cgroups.filter((c) => Object.keys(c.files).length === 0);
  section(
    'cgroups without limits',
    empty.map((c) => [c.path, c.exists ? '' : '(gone)']),
  );
  section(
    'mounts',
    r.mounts.map((m) => [m.target, m.type, m.source, m.options]),
  );
  section('limits', r.limits);
  section('descriptors', Object.entries(r.descriptors));
  return `${lines.map(printable).join('\n')}\n`;
}
