/** Heads of each layer of the encoder. */
export const heads = 4;
/** Layers of the encoder. */
export const layers = 2;
/** Tokens that the encoder was made for; it leaves out what comes after. */
export const longest = 128;
