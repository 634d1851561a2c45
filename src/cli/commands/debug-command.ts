/** `runt debug`: one report with everything about a container, to read or to attach to a question. */
import { type DebugReport, debugReport } from '../../container/debug-report.js';
import type { ExitRecord } from '../../container/state/exit-records.js';
import { printable } from '../../plan/printable-text.js';
import { native } from '../../sys/host.js';
import { capabilityNames, signalName } from '../../sys/kernel-names.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { readableTime } from '../readable-time.js';
import { rootDirectory } from '../root-directory.js';

export function command({ global, flags, args }: Call<'debug'>): number {
  const report = debugReport({ root: rootDirectory(global), id: args[0]! });
  print(flags.format === 'json' ? `${JSON.stringify(report, null, 2)}\n` : text(report));
  return 0;
}

function text(r: DebugReport): string {
  const { state } = r;
  const now = Number(native.realtime() / 1_000_000_000n);
  const lines = [
    `container ${r.id}: ${state ? state.status : 'its state cannot be used'}${state?.pid ? `, pid ${state.pid}` : ''}`,
  ];
  const section = (title: string, rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return;
    const width = rows.reduce((most, [first = '']) => Math.max(most, first.length), 0) + 2;
    lines.push('', title);
    for (const [first = '', ...rest] of rows) lines.push(`  ${first.padEnd(width)}${rest.join(' ')}`.trimEnd());
  };
  section('state', [
    ...(r.problem === undefined ? [] : [['problem', r.problem]]),
    ['directory', r.directory],
    ...(state
      ? [
          ['bundle', state.bundle],
          ['root fs', state.rootfs],
          ['created', `${readableTime(state.created, now)}${state.owner && ` by ${state.owner}`}`],
          ['spec', state.ociVersion],
        ]
      : []),
    ...(r.config === undefined ? [] : [['config', r.config]]),
    ['supervised', r.supervised ? 'yes' : 'no'],
    ...(r.exit === undefined ? [] : [['exit', exitText(r.exit, now)]]),
    ...(r.frozen ? [['frozen', 'yes']] : []),
  ]);
  section('annotations', Object.entries(state?.annotations ?? {}));
  if (r.lastError) {
    const { time, command: name, code, report } = r.lastError;
    lines.push('', 'last error', `  ${readableTime(time, now)} ${name} ${code}`);
    for (const line of report.split('\n')) lines.push(`  ${line}`);
  }
  section(
    'processes',
    r.processes.map((p) => [String(p.pid), p.state, p.command]),
  );
  section(
    'identity',
    Object.entries(r.identity).map(([name, value]) => [name, name.startsWith('Cap') ? capabilities(value) : value]),
  );
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

/** Names for a set of capabilities from /proc/PID/status, which is hexadecimal. */
function capabilities(hex: string): string {
  if (!/^[0-9a-f]{1,16}$/.test(hex)) return hex;
  const mask = BigInt(`0x${hex}`);
  const known = capabilityNames();
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) if (mask & (1n << BigInt(bit))) names.push(known[bit] ?? `capability ${bit}`);
  return names.length === 0 ? 'none' : names.length === known.length ? `all ${known.length}` : names.join(' ');
}

/** The exit record as a sentence; an unreadable record unchanged. */
function exitText(exit: unknown, now: number): string {
  const { status, signal, oom, exitedAt } = exit as Partial<ExitRecord>;
  if (typeof status !== 'number' || typeof exitedAt !== 'string') return JSON.stringify(exit);
  const how = signal ? `by ${signalName(signal)}, status ${status}` : `status ${status}`;
  return `${how}, ${readableTime(exitedAt, now)}${oom ? ', after the kernel killed for lack of memory' : ''}`;
}
