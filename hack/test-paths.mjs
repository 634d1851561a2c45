// Paths of the tests, for hack/test.mjs and hack/coverage.mjs.
import { readdirSync } from 'node:fs';

/** Whether a test needs kernel features; the others are unit tests. */
export const isKernel = (path) => path.startsWith('test/integration/') || path.startsWith('test/security/');

/** Paths of the tests, sorted, that have one of the parts; without parts all of them. */
export const testPaths = (parts) =>
  readdirSync('test', { recursive: true })
    .map((name) => `test/${name}`)
    .filter((path) => path.endsWith('.test.ts') && (parts.length === 0 || parts.some((part) => path.includes(part))))
    .sort();
