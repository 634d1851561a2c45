/** Absolute paths for the paths on the command line. */
import { check } from '../sys/error.js';
import { host, native } from '../sys/host.js';

/** Makes a path absolute and removes `.`, `..` and double slashes lexically: no symlink is followed. */
export function absolute(path: string): string {
  const parts: string[] = [];
  for (const part of (path[0] === '/' ? path : `${cwd()}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function cwd(): string {
  const data = new Uint8Array(4096);
  const length = check(native.cwd(data), {
    code: 'ERR_PATH',
    message: 'find the current directory',
    syscall: 'getcwd',
  });
  return host.decodeRaw(data, length);
}
