/** A file that is written whole or not at all. */
import { check } from './error.js';
import { host, native } from './host.js';
import { AT_FDCWD } from './linux.js';

/** Replaces a file of mode 0600: readers see the old or the new text. @throws RuntError ERR_IO */
export function replaceFile(path: string, text: string): void {
  const result = native.replaceFile(AT_FDCWD, path, 0o600, host.encode(text));
  check(result, { code: 'ERR_IO', message: `replace ${path}`, path, syscall: 'rename' });
}
