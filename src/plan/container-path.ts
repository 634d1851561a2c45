/** Paths of the container as text, before the kernel resolves them. */

/** Whether a clean path is the directory or leads below it. */
export const isAtOrBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** An absolute path without doubled or trailing slashes and without `.`; `..` stays for the resolver to clamp. */
export function clean(path: string): string {
  // Nearly all are clean; what has "/." in it may be `/.hidden`, and goes the long way.
  if (path.startsWith('/') && !path.includes('//') && !path.includes('/.') && !path.endsWith('/')) return path;
  return `/${path
    .split('/')
    .filter((p) => p !== '' && p !== '.')
    .join('/')}`;
}
