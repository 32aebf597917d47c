/**
 * The descriptor of a call of attention: all that the kernels are told, as 32-bit words in wasm memory. Each
 * constant is a byte offset into it. The host writes the words and the kernels read them.
 *
 * Pointers are byte addresses, 0 for what is absent; strides are in elements.
 */

/** `[batch, queryHeads, queryLength, headDim]`; elements of a row are neighbours. */
export const queryPointer = 0;
export const queryBatchStride = 4;
export const queryHeadStride = 8;
export const queryRowStride = 12;
/**
 * `[batch, kvHeads, keyLength, headDim]`. In pages, `[pages, kvHeads, pageSize, headDim]`: the first stride is that of
 * pages.
 */
export const keyPointer = 16;
export const keyBatchStride = 20;
export const keyHeadStride = 24;
export const keyRowStride = 28;
/** `[batch, kvHeads, keyLength, valueDim]`, in pages as the keys. */
export const valuePointer = 32;
export const valueBatchStride = 36;
export const valueHeadStride = 40;
export const valueRowStride = 44;
/** Bytes, 0 is false. Strides of 0 repeat. */
export const maskPointer = 48;
export const maskBatchStride = 52;
export const maskHeadStride = 56;
export const maskRowStride = 60;
export const maskKeyStride = 64;
/** float32 or float16. */
export const biasPointer = 68;
export const biasBatchStride = 72;
export const biasHeadStride = 76;
export const biasRowStride = 80;
export const biasKeyStride = 84;
/** int32 `[sequences]`. */
export const offsetsPointer = 88;
/** int32 `[sequences]`. */
export const lengthsPointer = 92;
/** float32 `[queryHeads]`. */
export const alibiPointer = 96;
/** float32 `[queryHeads]`. */
export const sinksPointer = 100;
/** Row-major `[batch, queryHeads, queryLength, valueDim]`. */
export const outputPointer = 104;
/** float32 `[batch, queryHeads, queryLength]`. */
export const logSumExpPointer = 108;
/** Row-major `[batch, queryHeads, queryLength, keyLength]`. */
export const weightsPointer = 112;
export const scoresPointer = 116;
/** Partial results where keys are split: see assembly/attention/partial.ts. */
export const partialPointer = 120;

export const queryHeads = 124;
export const kvHeads = 128;
export const queryLength = 132;
export const keyLength = 136;
export const headDim = 140;
export const valueDim = 144;

/** 1: query, output, weights and scores are float16. */
export const isFloat16 = 148;
/** 1: the bias is float16. */
export const biasIsFloat16 = 152;
/** Keys `j ≥ p − left` are visible; −1: no bound. */
export const bandLeft = 156;
/** Keys `j ≤ p + right` are visible; −1: no bound. */
export const bandRight = 160;
/** float32: factor of the queries, a power of two with the sign of the scale, or 0. */
export const queryFactor = 164;
/** float32: factor that turns dot products with such queries into scaled scores. */
export const scoreFactor = 168;
/** float32: factor that turns what the softmax sees into base-2 logits. */
export const logitFactor = 172;
/** float32: factor that turns what the softmax sees into natural logits. */
export const naturalFactor = 176;
/**
 * 1: scaling, cap, bias and ALiBi are applied one after another, and the softmax sees natural logits.
 * 0: the softmax sees dot products.
 */
export const stepwise = 180;
/** float32: cap of the scores; 0: none. */
export const scoreCap = 184;
/** The scores to return: one of the constants below. */
export const scoresKind = 188;

/** The kernel: one of the constants below. In a ragged batch, each unit has its own. */
export const kernel = 192;
/** Rows of a block, as the plan says. */
export const blockRows = 196;
/** Blocks of a key head. */
export const blocks = 200;
/** Keys of a tile for panels. */
export const tileKeys = 204;
/** Number of parts into which the keys of a block are split. */
export const splits = 208;
/** Keys of a part. */
export const splitKeys = 212;
/** Byte offsets into a thread's workspace. */
export const workQuery = 216;
export const workScores = 220;
export const workOutput = 224;
export const workRow = 228;
export const workKey = 232;
export const workValue = 236;
export const workRows = 240;

/** Query heads of a key head. */
export const group = 244;
/** Rows of a key head: those of all its query heads. */
export const groupRows = 248;

/** Storage of keys and values: one of the constants below. */
export const stored = 252;
/** float32 `[batch, kvHeads, keyLength]`, or `[pages, kvHeads, pageSize]`; 0 unless keys are int8. */
export const keyScalesPointer = 256;
export const keyScalesBatchStride = 260;
export const keyScalesHeadStride = 264;
export const keyScalesRowStride = 268;
/** As the scales of keys. */
export const valueScalesPointer = 272;
export const valueScalesBatchStride = 276;
export const valueScalesHeadStride = 280;
export const valueScalesRowStride = 284;

/** int32 `[sequences, pagesPerSequence]`: the page of each run of `pageSize` keys; 0: keys are in no pages. */
export const pageTablePointer = 288;
export const pagesPerSequence = 292;
export const pageSize = 296;

/** Ragged batches: int32 `[sequences + 1]`, the first query row of each sequence. */
export const queryStartsPointer = 300;
/** The same for keys; 0 also where a ragged batch has pages. */
export const keyStartsPointer = 304;
/** Ragged batches: int32 `[units, 4]`, as the constants `unit…` below say. */
export const unitsPointer = 308;

/** int32: position of query i of batch entry b at `b · stride + i`; 0: it is `i + offset`. */
export const queryPositionsPointer = 312;
export const queryPositionsStride = 316;
/** int32: position of key j of batch entry b at `b · stride + j`; 0: it is j. */
export const keyPositionsPointer = 320;
export const keyPositionsStride = 324;

/** Key heads of a unit for few rows: more than 1 in pages, whose heads lie one after another. */
export const unitKeyHeads = 328;
/** Bytes from the workspace of one key head of a unit to that of the next. */
export const workHead = 332;
/** Keys of a tile for few rows. */
export const fewTileKeys = 336;
/** Rows of a unit's partial results. */
export const partialRows = 340;

/** The programs and the block mask of a call: see src/shared/program.ts; 0 without any. */
export const programPointer = 344;
/** Byte offset into a thread's workspace, of the registers of programs. */
export const workProgram = 348;
/** int32 `[units]`: the first of each unit's panels in the next table; 0: every key is looked at. */
export const runUnitsPointer = 352;
/** int32 `[panels + 1]`: address of the first run of keys of each panel: see src/shared/program.ts. */
export const runStartsPointer = 356;

/** How panels read tiles: one of the constants below. */
export const tileVariant = 360;
/** Byte offsets into a thread's workspace, of a tile of which every element fills four lanes. */
export const workSpreadKey = 364;
export const workSpreadValue = 368;

/**
 * int32 `[sequences]`: the row of keys, values and scales at which each sequence's key 0 lies, or would lie if it were
 * there: of keys that no row sees, host tensors are not copied. 0: each sequence starts at row 0.
 */
export const keyRowsPointer = 372;
/** 1: where all rows of a block see the same keys, a row that would be alone in a panel is computed by itself. */
export const loneRow = 376;
/** 1: keys and values are more than caches hold, so that a single row, too, brings each tile into the cache beforehand. */
export const fromMemory = 380;
/** Whether units are computed one after another, on one thread. */
export const unitsInTurn = 384;

/** Size of a descriptor. */
export const descriptorBytes = 388;

// Values of `stored`: the power of two of an element's bytes.
export const storedInt8 = 0;
export const storedFloat16 = 1;
export const storedFloat32 = 2;

// Words of a unit of a ragged batch: a block of query rows of a sequence, with one key head.
export const unitSequence = 0;
export const unitKeyHead = 4;
/** First of the unit's rows among those of the sequence and key head. */
export const unitStart = 8;
/** Rows of the unit. */
export const unitRows = 12;
/** `kernelTiled`, or `kernelFew`: then the unit has `unitKeyHeads` key heads. */
export const unitKernel = 16;
export const unitBytes = 20;

// Values of `kernel`.
export const kernelTiled = 0;
export const kernelFew = 1;
/** As `kernelTiled`, where all rows of a block see the same keys, in one tile: see assembly/attention/short.ts. */
export const kernelShort = 2;

// Values of `tileVariant`: see src/tiles/variants.ts.
export const variantSplat = 0;
export const variantSpread = 1;
export const variantSpreadByTwo = 2;

// Values of `scoresKind`.
export const scoresNone = 0;
export const scoresRaw = 1;
export const scoresCapped = 2;
export const scoresBiased = 3;

/** Rows of a panel of the tiled kernel. */
export const panelRows = 8;
/** Most keys, or columns of the values, that a panel takes at once. */
export const mostAtOnce = 6;
/** Rows of a panel of the kernel for few rows. */
export const fewRows = 4;
/** Bytes of state that a row of a block has in the workspace: see assembly/attention/row-state.ts. */
export const rowStateBytes = 64;
