/** Flag of a row: a logit that the row sees is NaN or +∞. */
export const logitNotFinite = 1;
/** Flag of a row: a value that the row sees is not finite. */
export const valueNotFinite = 2;
