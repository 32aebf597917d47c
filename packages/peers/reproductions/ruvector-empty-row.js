// @ruvector/attention: a query that may see no key gets NaN; other frameworks give 0.
import ruvector from "@ruvector/attention";

const rows = [new Float32Array([1, 2]), new Float32Array([3, 4])];
const attention = new ruvector.DotProductAttention(2);
console.log(Array.from(attention.computeWithMask(rows[0], rows, rows, [false, false])));
