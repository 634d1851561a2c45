/**
 * Work of containerd's mount manager that the shim does itself: the transform `mkdir` (task/mount-directories.ts). All
 * other transforms and types of mounts that the kernel does not have stay with containerd.
 */

/** Annotations of `-info`: what containerd 2.2 and 2.3 read, and 2.4 from a shim without the extension. */
export const mountAnnotations = { 'containerd.io/runtime-allow-mounts': 'mkdir/*' };

/**
 * The same for containerd 2.4: an extension of the answer of `start`, in Go's JSON an Any with bytes in base64. These
 * are a constant, as the protobuf code takes 2 ms to load.
 */
export const mountExtensions = (): unknown => [
  { value: { type_url: 'containerd.types.MountCapabilities', value: 'EgVta2Rpcg==' } },
];
