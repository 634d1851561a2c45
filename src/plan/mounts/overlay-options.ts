/** Directories in overlay options: relative ones below the bundle, many layers as one option each. */

/** Longest value of fsconfig(2). */
const valueMax = 255;

/**
 * The options of an overlay with absolute paths. A `lowerdir` too long for fsconfig(2) becomes one `lowerdir+` for each
 * layer, and `datadir+` for data-only layers after `::`.
 * @param real resolves a path as it must be opened once the container's root is attached over `/`
 */
export function overlayOptions(
  options: readonly string[],
  bundle: string,
  real: (path: string) => string = (path) => path,
): string[] {
  const absolute = (path: string): string => real(path.startsWith('/') ? path : `${bundle}/${path}`);
  return options.flatMap((option) => {
    const [, key, value = ''] = /^(lowerdir|upperdir|workdir)=(.+)$/s.exec(option) ?? [];
    if (key === undefined) return option;
    if (key !== 'lowerdir') return `${key}=${absolute(value)}`;
    const layers = lowerLayers(value).map((layer) => ({ ...layer, path: absolute(layer.path) }));
    const text = layers.map(({ data, path }, i) => `${i ? (data ? '::' : ':') : ''}${escapeLayer(path)}`).join('');
    if (text.length <= valueMax) return `lowerdir=${text}`;
    return layers.map(({ data, path }) => `${data ? 'datadir' : 'lowerdir'}+=${path}`);
  });
}

/** The layers of a `lowerdir`, uppermost first, unescaped. `data`: after `::`. */
export function lowerLayers(value: string): { path: string; data: boolean }[] {
  const layers: { path: string; data: boolean }[] = [];
  let path = '';
  let colons = 0;
  for (let i = 0; i <= value.length; i++) {
    const c = value[i];
    if (c === ':' || c === undefined) {
      if (path !== '') {
        layers.push({ path, data: colons > 1 });
        colons = 0;
      }
      path = '';
      colons++;
    } else if (c === '\\' && i + 1 < value.length) path += value[++i];
    else path += c;
  }
  return layers;
}

const escapeLayer = (path: string): string => path.replaceAll(/[\\:]/g, '\\$&');
