/** See tap.mjs. */
export declare function assertions(text: string): Map<string, 'passed' | 'failed' | 'skipped'>;
