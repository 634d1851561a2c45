/** The header in which clients of containerd send the namespace of a call. */
export const namespaceHeader = 'containerd-namespace';
/** The same over ttrpc. */
export const ttrpcNamespaceHeader = 'containerd-namespace-ttrpc';
