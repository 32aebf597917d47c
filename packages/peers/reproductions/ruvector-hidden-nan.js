// @ruvector/attention: NaN in a value that the mask hides reaches the output, as 0 · NaN.
import ruvector from "@ruvector/attention";

const keys = [new Float32Array([1, 2]), new Float32Array([3, 4])];
const values = [new Float32Array([1, 2]), new Float32Array([Number.NaN, 4])];
const attention = new ruvector.DotProductAttention(2);
console.log(Array.from(attention.computeWithMask(keys[0], keys, values, [true, false])));
