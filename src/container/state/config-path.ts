/** Path of a container's config. */

/** `config` is absolute or relative to the bundle; the bundle's `config.json` when absent. */
export function configPath({
  bundle,
  config = 'config.json',
}: {
  readonly bundle: string;
  readonly config?: string;
}): string {
  return config[0] === '/' ? config : `${bundle}/${config}`;
}
