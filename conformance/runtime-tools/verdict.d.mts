/** See verdict.mjs. */
export interface Result {
  outcome: 'passed' | 'failed' | 'skipped';
  asserted: Map<string, 'passed' | 'failed' | 'skipped'>;
  ended: string;
}
export interface Entry {
  programs: string[];
  assertion?: string;
  why: string;
  clause?: string;
  broken?: boolean;
  /** The entry is for a host with this version of cgroups alone. */
  cgroup?: 1 | 2;
  /** For a host on which this makes the cgroups alone. */
  driver?: 'cgroupfs' | 'systemd';
  /** For kernels before this version alone, which lack what runt needs: it excuses. */
  before?: string;
}
export interface Host {
  cgroup: 1 | 2;
  driver: 'cgroupfs' | 'systemd';
  /** Release of its kernel. */
  kernel: string;
}
export declare function losses(results: Result[]): string[];
export declare function failures(results: Result[]): string[];
export declare function majority(runs: Result[][], names: string[]): { results: Result[]; flaky: string[] };
export declare function entryOf(known: Entry[], program: string, assertion: string): Entry | undefined;
export declare function excuse(known: Entry[], program: string, assertion: string): Entry | undefined;
export declare function isFor(entry: Entry, host: Host): boolean;
