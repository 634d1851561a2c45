/** Container paths as text, before the kernel resolves them. */

/** Whether a clean path is the directory or is below it. */
export const isAtOrBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** An absolute path without doubled or trailing slashes and without `.`; keeps `..` for the resolver to clamp. */
export function cleanPath(path: string): string {
  // Nearly all paths are clean. One with "/." may be `/.hidden`, and takes the slow way.
  if (path.startsWith('/') && !path.includes('//') && !path.includes('/.') && !path.endsWith('/')) return path;
  return `/${path
    .split('/')
    .filter((p) => p !== '' && p !== '.')
    .join('/')}`;
}
