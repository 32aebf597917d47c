/**
 * Programs of a call of attention, as the kernels run them: a block of 32-bit words that the host writes, with a header, then
 * instructions, then constants. Each constant below is a byte offset or a code.
 *
 * A program is a list of instructions, each of which works on a list of vectors of four 32-bit lanes. There are lists for
 * what is the same for a unit of work, for a row, for a key, and for a key and a row. In the latter, four rows are
 * the lanes and keys follow one another, as in the kernels' scores. A bool is 0 or −1.
 */

// The header: for each list of instructions its first byte and the byte after its last one, relative to the block.
/** Once a unit: one vector. */
export const unitList = 0;
/** Once a unit: rows are the lanes. */
export const rowsList = 8;
/** Once a tile: keys are the lanes. */
export const keysList = 16;
/** Values of keys that are read for keys and rows, as pairs of registers: one with keys as lanes, one with a vector a key. */
export const spreadList = 24;
/** Mask program, for keys and rows: it leaves its result in `placeMask`. */
export const maskList = 32;
/** Block mask: it leaves there what was there and its own result. */
export const blocksList = 40;
/** Score program: it leaves its result in `placeScore`. */
export const scoreList = 48;

// Registers of variables: offsets into the workspace's part for programs; 0: not read.
/** One vector. */
export const batchRegister = 56;
/** One vector: if a key head has one query head. */
export const headRegister = 60;
/** Rows are the lanes, as in the next two. */
export const headsRegister = 64;
export const queryRegister = 68;
export const queryIndexRegister = 72;
/** Keys are the lanes, as in the next one. */
export const keyRegister = 76;
export const keyIndexRegister = 80;
/** Room for the mask of a tile's keys, as the scores lie. */
export const maskRegister = 84;
export const headerBytes = 96;

// An instruction: words at these offsets.
/** One of the codes below. */
export const instructionCode = 0;
/** Operands: an offset, a multiple of 16, and one of the places below. */
export const instructionTo = 4;
export const instructionA = 8;
export const instructionB = 12;
export const instructionC = 16;
/** `codeIndex`: last index of the axis. Look-ups: address of the table. */
export const instructionData = 20;
/** `codeIndex`: elements from one index of the axis to the next. */
export const instructionStride = 24;
export const instructionBytes = 28;

// Places of operands.
/** One vector in the workspace. */
export const placeUniform = 0;
/** Vectors in the workspace, one after another. */
export const placeList = 1;
/** One vector in the workspace: that of the rows at hand, of a register whose lanes are rows. */
export const placeRows = 2;
/** Vectors in the workspace, one a key of the tile, from the first key at hand on. */
export const placeKeys = 3;
/** The scores at hand. */
export const placeScore = 4;
/** The mask at hand. */
export const placeMask = 5;
/** One vector in the block. */
export const placeConstant = 6;
/** Bits of an operand that are its place. */
export const placeBits = 15;

// Codes of instructions.
export const codeAdd = 0;
export const codeSubtract = 1;
export const codeMultiply = 2;
export const codeFloorDivide = 3;
export const codeRemainder = 4;
export const codeMinimum = 5;
export const codeMaximum = 6;
export const codeNegative = 7;
export const codeAbs = 8;
export const codeEqual = 9;
export const codeNotEqual = 10;
export const codeLess = 11;
export const codeLessEqual = 12;
/** a shifted to the right by b bits, which are the same for all lanes, with its sign. */
export const codeShift = 13;
export const codeAnd = 14;
export const codeOr = 15;
export const codeNot = 16;
/** a ? b : c, of any type. */
export const codeWhere = 17;
/** b + clamp(a, 0, data) · stride. */
export const codeIndex = 18;
/** The 32-bit element a of the table at `data`. */
export const codeLookUp = 19;
/** The same of bytes: 0, or −1 for whatever else. */
export const codeLookUpBool = 20;
export const codeToFloat = 21;
export const codeToInt = 22;
// The same operations on float32.
export const codeFloatAdd = 23;
export const codeFloatSubtract = 24;
export const codeFloatMultiply = 25;
export const codeFloatDivide = 26;
export const codeFloatFloorDivide = 27;
export const codeFloatRemainder = 28;
export const codeFloatMinimum = 29;
export const codeFloatMaximum = 30;
export const codeFloatNegative = 31;
export const codeFloatAbs = 32;
export const codeFloatEqual = 33;
export const codeFloatNotEqual = 34;
export const codeFloatLess = 35;
export const codeFloatLessEqual = 36;
export const codeFloor = 37;
export const codeSqrt = 38;
export const codeExp = 39;
export const codeLog = 40;
export const codeTanh = 41;

/** Keys that the lists for keys and rows work on at once. */
export const chunkKeys = 64;

// Kinds of runs: what is still to be asked of their keys, as bits. 0: all of them are visible.
export const asksMask = 1;
export const asksBlocks = 2;

// A run of keys of a panel of rows: words at these offsets.
export const runFrom = 0;
export const runTo = 4;
export const runKind = 8;
export const runBytes = 12;
