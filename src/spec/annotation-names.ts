/** Annotations of crun's that change how a container is made (crun(1), "EXTENSIONS TO OCI"). The list of `features` is this one. */
import type { Spec } from './config-types.js';

/** The groups of who calls runt stay; what the config says of groups does not count. Any value. */
export const keepOriginalGroups = 'run.oci.keep_original_groups';
/** A program for seccomp(2) in base64, in the place of linux.seccomp. */
export const seccompBpfData = 'run.oci.seccomp_bpf_data';
/** Files to which what hooks write is appended. */
export const hooksStdout = 'run.oci.hooks.stdout';
export const hooksStderr = 'run.oci.hooks.stderr';
/** A configuration file for criu, which checkpoints and restores the container; as for runc too. */
export const criuConfig = 'org.criu.config';

/** Begins the names of properties of the container's unit (plan/cgroup/systemd-scope.ts), as runc has them. */
export const systemdProperty = 'org.systemd.property.';

/** Names a cgroup below the unit's in which the container is (plan/cgroup/systemd-scope.ts). */
export const systemdSubgroup = 'run.oci.systemd.subgroup';

/** Names a cgroup below the one with the limits, which the container manages (plan/cgroup/delegated-cgroup.ts). */
export const delegateCgroup = 'run.oci.delegate-cgroup';

/** What an annotation counts for: what makes a container, with systemd's help, a process in it, or its images. */
export type AnnotationUse = 'create' | 'systemd' | 'exec' | 'checkpoint';

interface Known {
  /** The whole name, or its beginning. */
  readonly name: string;
  readonly prefix?: true;
  readonly uses: readonly AnnotationUse[];
  /** What it does, as a clause that follows "it". */
  readonly effect: string;
}

/**
 * All that runt reads. Each weakens the container or names what is the host's, so whoever writes them must be trusted
 * as the runtime's caller is.
 */
export const unsafeAnnotations: readonly Known[] = [
  {
    name: keepOriginalGroups,
    uses: ['create', 'exec'],
    effect: 'leaves the process the supplementary groups of runt’s caller',
  },
  { name: seccompBpfData, uses: ['create', 'exec'], effect: 'replaces the seccomp filter' },
  { name: hooksStdout, uses: ['create'], effect: 'names a file of the host that hooks append to' },
  { name: hooksStderr, uses: ['create'], effect: 'names a file of the host that hooks append to' },
  {
    name: criuConfig,
    uses: ['create', 'checkpoint'],
    effect: 'names a configuration of criu on the host, which can run programs',
  },
  { name: systemdProperty, prefix: true, uses: ['systemd'], effect: 'sets a property of the systemd unit' },
  { name: systemdSubgroup, uses: ['systemd'], effect: 'moves the container to another cgroup of its unit' },
  { name: delegateCgroup, uses: ['create'], effect: 'lets the container manage a cgroup' },
];

export const annotationNames = (): string[] => unsafeAnnotations.map((a) => a.name).sort();

/** Value of an annotation, and its JSON pointer. */
export function annotation(spec: Spec, name: string): readonly [value: string | undefined, at: string] {
  return [spec.annotations?.[name], `/annotations/${name}`];
}
