/** Which axes of `[batch, queryHeads, queryLength, keyLength]` a mask or bias has; the rest repeat. */
export type BroadcastAxes = readonly [boolean, boolean, boolean, boolean];
