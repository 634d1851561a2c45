/** The removal of parts that few containers have, loaded on demand. */

/** Removes resctrl groups and fresh layers. @throws RuntError ERR_RDT, ERR_LAYER */
export async function removeRare(rdt: readonly string[] = [], layers: readonly string[] = []): Promise<void> {
  try {
    if (rdt.length > 0) (await import('./launch/handlers/rdt-handler.js')).removeRdt(rdt);
  } finally {
    if (layers.length > 0) (await import('./state/layer-record.js')).removeLayers(layers);
  }
}
