/** Paths of the container as text, before the kernel resolves them. */

/** An absolute path without doubled or trailing slashes and without `.`; `..` stays for the resolver to clamp. */
export function clean(path: string): string {
  return `/${path
    .split('/')
    .filter((p) => p !== '' && p !== '.')
    .join('/')}`;
}
