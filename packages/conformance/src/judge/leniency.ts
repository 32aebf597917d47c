/**
 * What may stand in place of an element, where inputs that are not finite reach it: `"none"`: nothing, as
 * everywhere else (an expected NaN must be NaN); `"not-finite"`: NaN or ±∞ beside the expected number;
 * `"anything"`: any number, on a device that does without NaN and infinity.
 */
export type Leniency = "none" | "not-finite" | "anything";
