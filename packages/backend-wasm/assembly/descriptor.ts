// Access to the words of a descriptor: see src/shared/.

/** A word of a descriptor. */
// @ts-ignore: decorator
@inline
export function word(d: usize, at: usize): i32 {
  return load<i32>(d + at);
}

/** An address, stride or size in a descriptor, as an unsigned number. */
// @ts-ignore: decorator
@inline
export function size(d: usize, at: usize): usize {
  return load<usize>(d + at);
}

/** A float32 in a descriptor. */
// @ts-ignore: decorator
@inline
export function number(d: usize, at: usize): f32 {
  return load<f32>(d + at);
}
