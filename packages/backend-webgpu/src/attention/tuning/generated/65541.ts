// Written by tools/compile-tuning.js from virtual-machine-2-cores-of-amd-epyc-deno-2.json.
export const tables: readonly unknown[] = JSON.parse(
  "[{\"format\":\"heed-webgpu-tuning\",\"version\":1,\"device\":{\"vendor\":\"65541\",\"architecture\":\"\",\"device\":\"0\",\"description\":\"llvmpipe (LLVM 15.0.6, 256 bits)\",\"features\":[\"shader-f16\"]},\"choices\":{\"float32 b1 h32/8 l1/2048 d64/64 mask:- bias:- - - pos:none - - - scale:0.125 cap:- lse:0 weights:0 scores:-\":{\"settings\":{\"kernel\":\"decode\",\"columns\":64,\"splits\":1},\"gain\":2.392}}}]",
);
