import type { Fragment } from "../../wgsl/emit.js";

/** Functions that look up elements, by dtype; those of four have a 4 behind their names. */
export const elementNames: Readonly<Record<string, string>> = {
  int32: "int_element",
  float32: "float_element",
  bool: "bool_element",
};

const elementTexts: Readonly<Record<string, string>> = {
  int_element: `fn int_element(start: u32, at: u32) -> i32 {
  return bitcast<i32>(programs[start + at]);
}`,
  int_element4: `fn int_element4(start: u32, at: vec4<u32>) -> vec4<i32> {
  return bitcast<vec4<i32>>(vec4<u32>(programs[start + at.x], programs[start + at.y], programs[start + at.z], programs[start + at.w]));
}`,
  float_element: `fn float_element(start: u32, at: u32) -> f32 {
  return bitcast<f32>(programs[start + at]);
}`,
  float_element4: `fn float_element4(start: u32, at: vec4<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(programs[start + at.x], programs[start + at.y], programs[start + at.z], programs[start + at.w]));
}`,
  bool_element: `fn bool_element(start: u32, at: u32) -> bool {
  return ((programs[start + (at >> 2u)] >> (8u * (at & 3u))) & 0xffu) != 0u;
}`,
  bool_element4: `fn bool_element4(start: u32, at: vec4<u32>) -> vec4<bool> {
  let word = vec4<u32>(start) + (at >> vec4<u32>(2u));
  let words = vec4<u32>(programs[word.x], programs[word.y], programs[word.z], programs[word.w]);
  return ((words >> (8u * (at & vec4<u32>(3u)))) & vec4<u32>(0xffu)) != vec4<u32>();
}`,
};

/** Declarations of those that some text calls. */
export function elementFragments(text: string): Fragment[] {
  return Object.entries(elementTexts)
    .filter(([name]) => text.includes(`${name}(`))
    .map(([, wgsl]) => ({ wgsl }));
}
