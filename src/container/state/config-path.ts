/** Where the config of a container is. */

/** `config` is absolute or below the bundle; `config.json` in the bundle when absent. */
export function configPath({
  bundle,
  config = 'config.json',
}: {
  readonly bundle: string;
  readonly config?: string;
}): string {
  return config[0] === '/' ? config : `${bundle}/${config}`;
}
