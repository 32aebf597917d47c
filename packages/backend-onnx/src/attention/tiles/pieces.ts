/** Rows or keys in pieces, of which a block has one or several. */
export interface Pieces {
  readonly count: number;
  /** First row or key of a piece; the length itself for the piece behind the last. */
  firstOf(piece: number): number;
  /** The block of a piece. */
  blockOf(piece: number): number;
}

/**
 * The pieces of blocks.
 *
 * @param most rows or keys of a piece, of which large blocks have several
 */
export function piecesOf(length: number, block: number, most: number): Pieces {
  const size = Math.min(block, most);
  const each = Math.ceil(block / size);
  const whole = Math.floor(length / block);
  const count = whole * each + Math.ceil((length - whole * block) / size);
  return {
    count,
    firstOf: (piece) => Math.min(length, Math.floor(piece / each) * block + (piece % each) * size),
    blockOf: (piece) => Math.floor(piece / each),
  };
}
