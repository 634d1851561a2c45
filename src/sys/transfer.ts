/** What `native.transfer` says after it has moved bytes from one descriptor to another; 0 is the end of the first. */

/** Wait until the first has bytes. */
export const TRANSFER_READABLE = 1;
/** Wait until the second takes some. */
export const TRANSFER_WRITABLE = 2;
/** The first is a terminal that nobody has open. */
export const TRANSFER_HUNG_UP = 3;
/** Nobody reads the second. */
export const TRANSFER_GONE = 4;
/** There may be more: others get their turn. */
export const TRANSFER_MORE = 5;
