/** systemd unit names: `linux.cgroupsPath` as `slice:prefix:name`, and the cgroup of a scope (systemd.slice(5)). */
import { RuntError } from '../../sys/error.js';

interface ScopeName {
  /** The unit, `prefix-name.scope`. */
  readonly unit: string;
  /** Its slice; `-.slice` is the root. */
  readonly slice: string;
  /** Its cgroup, below the manager's: `/a.slice/a-b.slice/unit`. */
  readonly path: string;
}

/** A unit name has at most 255 of these characters (systemd.unit(5)); `\` begins an escape such as `\x2d`. */
const valid = /^[A-Za-z0-9:_.\\@-]{1,255}$/;

/**
 * `slice:prefix:name` as runc reads it. An empty slice is `system.slice` (`user.slice` for a user's manager), and `-`
 * is the root slice. With an empty prefix the unit is `-name.scope`. Without a path it is `:runt:ID`.
 * @throws RuntError ERR_CGROUP_PATH
 */
export function scopeName(cgroupsPath: string | undefined, id: string, user: boolean): ScopeName {
  const requested = cgroupsPath || `:runt:${id}`;
  const parts = requested.split(':');
  const [slice = '', prefix = '', name = ''] = parts;
  if (parts.length !== 3) throw nameError(requested, 'is not of the form slice:prefix:name', cgroupsPath === undefined);
  if (name === '') throw nameError(requested, 'names no unit');
  if (name.endsWith('.slice'))
    throw nameError(requested, 'names a slice: a slice holds units, and processes are in a scope');
  const unit = `${prefix}-${name}.scope`;
  if (!valid.test(unit))
    throw nameError(requested, `makes "${unit}", which is not the name of a unit`, cgroupsPath === undefined);
  const parent = slice === '' ? (user ? 'user.slice' : 'system.slice') : slice === '-' ? '-.slice' : slice;
  return { unit, slice: parent, path: `${slicePath(parent, requested)}/${unit}` };
}

/** `a-b.slice` is in `a.slice`: `/a.slice/a-b.slice`; the root slice is the manager's own cgroup. */
export function slicePath(slice: string, requested: string): string {
  if (slice === '-.slice') return '';
  const parts = slice.endsWith('.slice') ? slice.slice(0, -'.slice'.length).split('-') : [''];
  if (!valid.test(slice) || parts.some((part) => part === '')) {
    throw nameError(
      requested,
      `names "${slice}", which is not a slice: NAME.slice is one, and each dash in it is a level`,
    );
  }
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join('-')}.slice`).join('');
}

function nameError(value: string, why: string, fromId = false): RuntError {
  return new RuntError({
    code: 'ERR_CGROUP_PATH',
    message: `the cgroup path ${why}`,
    ...(fromId ? { path: value } : { pointer: '/linux/cgroupsPath', value }),
    hint: 'write it as slice:prefix:name, such as "system.slice:runt:web", or leave it out: --systemd-cgroup needs this form',
  });
}
