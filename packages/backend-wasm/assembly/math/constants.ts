/** log₂ e: factor that turns natural logits into base-2 logits. */
// @ts-ignore: decorator
@inline
export const LOG2_E: f32 = 1.4426950408889634;
/** ln 2. */
// @ts-ignore: decorator
@inline
export const LN_2: f64 = 0.6931471805599453;
/** The lowest float32: the maximum of a row that has seen nothing yet. A hidden key's −∞ minus it is −∞. */
// @ts-ignore: decorator
@inline
export const LOWEST: f32 = -3.4028234663852886e38;
