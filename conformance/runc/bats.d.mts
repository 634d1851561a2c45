/** See bats.mjs. */
export declare function results(text: string): Map<string, { state: 'passed' | 'failed' | 'skipped'; text: string[] }>;
export declare function unended(text: string): string[];
