/**
 * Values accepted for an output element that non-finite inputs reach. `"none"`: the expected one only, as
 * everywhere else (an expected NaN must be NaN). `"not-finite"`: NaN or ±∞ beside the expected number.
 * `"anything"`: any number, on a device that does without NaN and infinity.
 */
export type Leniency = "none" | "not-finite" | "anything";
