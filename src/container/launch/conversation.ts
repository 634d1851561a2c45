/** The conversation with runt-init, as a state machine (docs/internals.md, "The conversation with runt-init"). */
import { RuntError } from '../../sys/error.js';
import type { InitChannel, Report } from './init-channel.js';

type Kind = Report['kind'];

/** What runt-init does: `preparing` the container, `waiting` for start, `starting` (hooks, filter), `executing` the process. */
export type State = 'preparing' | 'waiting' | 'starting' | 'executing' | 'ended';

/** The reports that each state allows, and the state after each. From `waiting` to `starting` leads the runtime's go. */
const after = {
  preparing: {
    created: 'waiting',
    trace: 'preparing',
    hooks: 'preparing',
    pid: 'preparing',
    await: 'preparing',
    slow: 'preparing',
    kept: 'preparing',
    bound: 'preparing',
    stdio: 'preparing',
    listener: 'preparing',
    error: 'ended',
    eof: 'ended',
  },
  waiting: { error: 'ended', eof: 'ended' },
  starting: {
    exec: 'executing',
    trace: 'starting',
    slow: 'starting',
    listener: 'starting',
    error: 'ended',
    eof: 'ended',
  },
  // execve(2) closes the channel, unless it fails.
  executing: { error: 'ended', eof: 'ended' },
  ended: {},
} as const satisfies { readonly [S in State]: { readonly [K in Kind]?: State } };

/** The reports that these states allow. */
type Allowed<S extends State> = { [T in S]: keyof (typeof after)[T] }[S] & Kind;

/** What is done about each report, before the state changes. Total: a report without an answer does not compile. */
export type Answers<S extends State> = {
  readonly [K in Allowed<S>]: (report: Extract<Report, { kind: K }>, state: State) => Promise<void> | void;
};

/** A conversation that goes through the states S. */
export class Conversation<S extends State = State> {
  constructor(
    readonly channel: InitChannel,
    private readonly answers: Answers<S>,
    private state: State,
  ) {}

  /** Lets a runt-init that waits for start go on. @throws RuntError ERR_INIT */
  start(): void {
    this.channel.go();
    this.state = 'starting';
  }

  /**
   * Reads and answers reports until that state.
   * @throws what an answer throws; RuntError ERR_INTERNAL for a report that the state does not allow
   */
  async until(wanted: State): Promise<void> {
    while (this.state !== wanted) {
      const report = await this.channel.next();
      const next = (after[this.state] as { readonly [K in Kind]?: State })[report.kind];
      if (next === undefined) {
        const message = `runt-init sent the report "${report.kind}" while it was ${this.state}`;
        throw new RuntError({ code: 'ERR_INTERNAL', message });
      }
      // The table of states allows only reports that have an answer.
      await (this.answers as unknown as Record<string, (report: Report, state: State) => Promise<void> | void>)[
        report.kind
      ]!(report, this.state);
      this.state = next;
    }
  }
}
