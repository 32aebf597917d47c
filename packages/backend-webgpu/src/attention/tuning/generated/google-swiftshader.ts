// Written by tools/compile-tuning.js from google-swiftshader.json.
export const tables: readonly unknown[] = JSON.parse(
  "[{\"format\":\"heed-webgpu-tuning\",\"version\":1,\"device\":{\"vendor\":\"google\",\"architecture\":\"swiftshader\",\"device\":\"swiftshader-device-subzero-\",\"description\":\"SwiftShader driver 5.0.0\",\"features\":[\"subgroups\"]},\"choices\":{\"float32 b1 h32/8 l1/2048 d64/64 mask:- bias:- - - pos:none - - - scale:0.125 cap:- lse:0 weights:0 scores:-\":{\"settings\":{\"kernel\":\"stream\",\"rows\":4,\"splits\":8},\"gain\":14.298},\"float32 b1 h8/8 l1/2048 d64/64 mask:- bias:- - - pos:none - - - scale:0.125 cap:- lse:0 weights:0 scores:-\":{\"settings\":{\"kernel\":\"stream\",\"rows\":4,\"splits\":8},\"gain\":2.433}}}]",
);
