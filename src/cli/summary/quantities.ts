/** Sizes and times as people read them. */

const sizes = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `12.3 MiB`, from bytes. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let [value, unit] = [bytes / 1024, 0];
  for (; value >= 1024 && unit < sizes.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${sizes[unit]}`;
}

/** `0.213 s`, `1 min 2.5 s` or `3 h 0 min 1.0 s`, from ns. */
export function timeText(ns: number): string {
  const seconds = ns / 1e9;
  if (seconds < 59.9995) return `${seconds.toFixed(3)} s`;
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600);
  const rest = `${minutes % 60} min ${((tenths % 600) / 10).toFixed(1)} s`;
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)} h ${rest}`;
}
