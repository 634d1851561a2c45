/** The removal of parts that few containers have, loaded on demand. */

interface RareParts {
  /** Directories of resctrl groups. */
  readonly rdt?: readonly string[] | undefined;
  /** Directories of fresh layers. */
  readonly layers?: readonly string[] | undefined;
}

/** @throws RuntError ERR_RDT, ERR_LAYER */
export async function removeRare({ rdt, layers }: RareParts): Promise<void> {
  try {
    if (rdt?.length) (await import('./launch/handlers/rdt-handler.js')).removeRdt(rdt);
  } finally {
    if (layers?.length) await (await import('./state/layer-record.js')).removeLayers(layers);
  }
}
