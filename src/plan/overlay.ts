/** Directories in the options of an overlay: relative ones are below the bundle, and many layers are one option each. */

/** Longest value of fsconfig(2). */
const valueMax = 255;

/**
 * The options of an overlay with absolute paths. A `lowerdir` that is longer than fsconfig(2) takes becomes one
 * `lowerdir+` for each layer, and `datadir+` for those after `::`, which hold data only.
 */
export function overlayOptions(options: readonly string[], bundle: string): string[] {
  return options.flatMap((option) => {
    const [, key, value = ''] = /^(lowerdir|upperdir|workdir)=(.+)$/s.exec(option) ?? [];
    if (key === undefined) return option;
    if (key !== 'lowerdir') return `${key}=${absolute(value, bundle)}`;
    const layers = lowerLayers(value).map((layer) => ({ ...layer, path: absolute(layer.path, bundle) }));
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

const absolute = (path: string, bundle: string): string => (path.startsWith('/') ? path : `${bundle}/${path}`);
const escapeLayer = (path: string): string => path.replaceAll(/[\\:]/g, '\\$&');
