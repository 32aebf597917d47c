/** A part of a table that is not as it must be. */
export class Damage extends Error {}
