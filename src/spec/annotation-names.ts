/** Annotations that change the container, most of them crun's (crun(1), "EXTENSIONS TO OCI"); `features` lists them. */
import type { Spec } from './config-types.js';

/** Keep the caller's supplementary groups and ignore `additionalGids`. The annotation's value does not matter. */
export const keepOriginalGroups = 'run.oci.keep_original_groups';
/** A base64 program for seccomp(2), instead of linux.seccomp. */
export const seccompBpfData = 'run.oci.seccomp_bpf_data';
/** Files to which the output of hooks is appended. */
export const hooksStdout = 'run.oci.hooks.stdout';
export const hooksStderr = 'run.oci.hooks.stderr';
/** A configuration file for criu, used at checkpoint and restore; also runc's. */
export const criuConfig = 'org.criu.config';

/** Prefix of annotations for unit properties (plan/cgroup/systemd-scope.ts), as in runc. */
export const systemdProperty = 'org.systemd.property.';

/** The container's cgroup below the unit's (plan/cgroup/systemd-scope.ts). */
export const systemdSubgroup = 'run.oci.systemd.subgroup';

/** The cgroup that the container manages, below the one with the limits (plan/cgroup/delegated-cgroup.ts). */
export const delegateCgroup = 'run.oci.delegate-cgroup';

/** runt's own: `true` lets the container manage cgroups below its limits (plan/cgroup/writable-cgroup.ts). */
export const cgroupWritable = 'io.runt.cgroup-writable';

/** The image's stop signal, as engines copy it into the config (image-spec, annotations.md). `stop` reads it. */
export const stopSignalAnnotation = 'org.opencontainers.image.stopSignal';

/** Operations that read an annotation: create, with systemd too, exec, and checkpoint. */
export type AnnotationUse = 'create' | 'systemd' | 'exec' | 'checkpoint';

interface KnownAnnotation {
  /** The whole name, or its prefix. */
  readonly name: string;
  readonly prefix?: true;
  readonly uses: readonly AnnotationUse[];
  /** Its effect, as a clause that follows "it". */
  readonly effect: string;
}

/**
 * All annotations that runt reads. Each weakens the container or names a resource of the host, so whoever writes them
 * must be as trusted as the runtime's caller.
 */
export const unsafeAnnotations: readonly KnownAnnotation[] = [
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
  { name: cgroupWritable, uses: ['create'], effect: 'lets the container manage a cgroup' },
];

export const annotationNames = (): string[] => unsafeAnnotations.map((a) => a.name).sort();

/** Value of an annotation, and its JSON pointer. */
export function annotationValue(spec: Spec, name: string): readonly [value: string | undefined, at: string] {
  return [spec.annotations?.[name], `/annotations/${name}`];
}
