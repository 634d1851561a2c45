export type State = 'passed' | 'failed' | 'skipped' | 'absent';

/** Tests that may fail with runt while they pass with runc. */
export interface Excuse {
  why: string;
  /** Whether the tests pass without their assertions about words. */
  words?: boolean;
  /** "file: title". */
  tests: string[];
  /** As what they may fail; root, rootless and plain if it is absent. */
  as?: string[];
  /** The cgroups with which they may fail: "v1", "v2" or "v2 systemd"; all if it is absent. */
  cgroup?: string;
}

/** See verdict.mjs. */
export declare function outcome(states: [State, State]): 'passed' | 'failed' | 'both' | 'skipped';
export declare function excuseOf(known: Excuse[], name: string, as: string, cgroup?: string): Excuse | undefined;
export declare function objection(
  written: [State, State],
  without: [State, State],
  excuse: Excuse | undefined,
): string | undefined;
