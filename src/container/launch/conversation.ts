/** The conversation with runt-init, as a state machine (docs/internals.md, "The conversation with runt-init"). */
import { RuntError } from '../../sys/error.js';
import type { Parts } from '../../sys/protocol.js';
import type { InitChannel, Report } from './init-channel.js';

type Kind = Report['kind'];

/** State of runt-init: `preparing` the container, `waiting` for start, `starting` (hooks, filter), `executing`. */
export type State = 'preparing' | 'waiting' | 'starting' | 'executing' | 'ended';

/** The reports that do not change a state. Strings: a table of objects would take 16 KB in every process. */
const innerReports = {
  preparing: 'trace hooks pid await slow kept bound stdio listener',
  waiting: '',
  starting: 'trace slow',
  executing: '',
  ended: '',
} as const satisfies { readonly [S in State]: string };

/** The report that changes the state. The runtime's go changes `waiting` to `starting`. */
const leadingReport = { preparing: 'created', starting: 'exec' } as const;

/** The reports that these states allow. */
type Allowed<S extends State> =
  | Parts<(typeof innerReports)[S]>
  | (S extends keyof typeof leadingReport ? (typeof leadingReport)[S] : never)
  | (S extends 'ended' ? never : 'error' | 'eof');

/** The state after a report; undefined for one that the state does not allow. */
function nextState(state: State, kind: Kind): State | undefined {
  if (state === 'ended') return undefined;
  if (kind === 'error' || kind === 'eof') return 'ended';
  if (state === 'preparing' && kind === leadingReport.preparing) return 'waiting';
  if (state === 'starting' && kind === leadingReport.starting) return 'executing';
  return innerReports[state].split(' ').includes(kind) ? state : undefined;
}

/** The answer to each report, before the state changes. Total: a report without an answer does not compile. */
export type ReportHandlers<S extends State> = {
  readonly [K in Allowed<S>]: (report: Extract<Report, { kind: K }>, state: State) => Promise<void> | void;
};

/** A conversation limited to the states S. */
export class Conversation<S extends State = State> {
  constructor(
    readonly channel: InitChannel,
    private readonly handlers: ReportHandlers<S>,
    private state: State,
  ) {}

  /** Lets a runt-init that waits for start continue. @throws RuntError ERR_INIT */
  start(): void {
    this.channel.sendGo();
    this.state = 'starting';
  }

  /**
   * Reads and answers reports until the state is `wanted`.
   * @throws what an answer throws; RuntError ERR_INTERNAL for a report that the state does not allow
   */
  async readUntil(wanted: State): Promise<void> {
    while (this.state !== wanted) {
      const report = await this.channel.next();
      const next = nextState(this.state, report.kind);
      if (next === undefined) {
        const message = `runt-init sent the report "${report.kind}" while it was ${this.state}`;
        throw new RuntError({ code: 'ERR_INTERNAL', message });
      }
      // The table of states allows only reports that have an answer.
      await (this.handlers as unknown as Record<string, (report: Report, state: State) => Promise<void> | void>)[
        report.kind
      ]!(report, this.state);
      this.state = next;
    }
  }
}
