/** What makes a line an assertion about words: see words.json. */
export interface Pattern {
  about: string;
  /** A regular expression for a whole line without its indent and its comment. */
  assertion: string;
  /** A regular expression for what stays. */
  unless?: string;
  after?: 'failure';
  /** Names of files without .bats; all files if it is absent. */
  files?: string[];
}

/** See without-words.mjs. */
export declare function withoutWords(
  text: string,
  name: string,
  patterns: Pattern[],
): { text: string; changed: number };
