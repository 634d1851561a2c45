/** The file of `--trace`. */

import { type OwnSpan, traceJson } from '../../plan/explain/plan-trace.js';
import type { Plan } from '../../plan/op-list.js';
import { check } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_CREAT, O_NONBLOCK, O_TRUNC } from '../../sys/linux.js';
import type { Span } from '../../sys/protocol.js';

/**
 * Writes the times of a plan's operations, and of what the runtime did beside it.
 * @param during the command and the id, for the error
 * @throws RuntError ERR_IO
 */
export function writeTrace(
  during: string,
  path: string,
  plan: Plan,
  spans: readonly Span[],
  own: readonly OwnSpan[],
): void {
  const text = host.encode(traceJson(plan, spans, own));
  const r = native.writeFile(AT_FDCWD, path, O_CREAT | O_NONBLOCK | O_TRUNC, 0o644, text);
  check(r, { code: 'ERR_IO', message: `${during}: write the trace ${path}`, path });
}
