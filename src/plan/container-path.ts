/** Container paths as text, before the kernel resolves them. */

/** Whether a clean path is the directory or is below it. */
export const isAtOrBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(`${directory}/`);

/** Whether a path is clean at first sight, as nearly all are. `/` is not, nor one with "/.", as in `/.hidden`. */
export const isClean = (path: string): boolean =>
  path.startsWith('/') && !path.includes('//') && !path.includes('/.') && !path.endsWith('/');

/** An absolute path without doubled or trailing slashes and without `.`; keeps `..` for the resolver to clamp. */
export function cleanPath(path: string): string {
  if (isClean(path)) return path;
  return `/${path
    .split('/')
    .filter((p) => p !== '' && p !== '.')
    .join('/')}`;
}
