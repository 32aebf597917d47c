/** Calls of `encode` that may await their submission. */
export const pendingEncodes = 64;
