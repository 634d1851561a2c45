/** `runt doctor`: tries what containers need on this machine, and prints what does not work. */
import { interruptible, openSignals } from '../../container/stdio/foreground.js';
import { type Check, checkClasses } from '../../doctor/check.js';
import { examine, failedClasses } from '../../doctor/doctor.js';
import { printable } from '../../plan/printable-text.js';
import { commit, version } from '../../sys/runt-version.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { findRoot } from '../root-flag.js';

/** @returns 1 if a check failed */
export async function command({ global, flags }: Call<'doctor'>): Promise<number> {
  // A signal must not leave a trial container behind.
  const checks = await interruptible('doctor', openSignals('doctor'), () => examine(findRoot(global)));
  const failed = failedClasses(checks);
  const json = { version: 1, runt: version(), commit: commit(), ok: failed.length === 0, failed, checks };
  print(flags.format === 'json' ? `${JSON.stringify(json, null, 2)}\n` : text(checks, flags.all === true));
  return failed.length === 0 ? 0 : 1;
}

const words: { readonly [S in Check['status']]: string } = {
  ok: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  skipped: '-',
};

function text(checks: readonly Check[], all: boolean): string {
  const lines: string[] = [];
  const shown = checks.filter(({ status }) => all || status !== 'skipped');
  const width = shown.reduce((most, { name }) => Math.max(most, name.length), 0) + 2;
  for (const of of checkClasses) {
    const those = shown.filter((check) => check.class === of);
    if (those.length > 0) lines.push(of);
    for (const { name, status, found, remedy, see } of those) {
      lines.push(`  ${words[status].padEnd(9)}${name.padEnd(width)}${found}`);
      const needsRemedy = status === 'warning' || status === 'failed';
      if (needsRemedy && remedy) lines.push(`${''.padEnd(11 + width)}fix: ${remedy}`);
      if (needsRemedy && see) lines.push(`${''.padEnd(11 + width)}see: ${see}`);
    }
  }
  const warnings = checks.filter(({ status }) => status === 'warning').length;
  const failures = checks.filter(({ status }) => status === 'failed');
  const end =
    failures.length === 0
      ? 'nothing that containers need is missing'
      : `${failures.length} failed (${failedClasses(checks).join(', ')})`;
  lines.push(`doctor: ${end}; ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`);
  return `${lines.map(printable).join('\n')}\n`;
}
