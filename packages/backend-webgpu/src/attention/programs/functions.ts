import type { Fragment } from "../../wgsl/emit.js";

/** The functions that operations of programs are, for one value and for four. */
const names = [
  "program_quotient",
  "exact_quotient",
  "float_floorDivide",
  "float_remainder",
  "int_floorDivide",
  "int_remainder",
  "float_to_int",
  "program_sqrt",
  "program_exp",
  "program_log",
  "program_tanh",
] as const;
type FunctionName = (typeof names)[number];

const needs: Readonly<Partial<Record<FunctionName, readonly FunctionName[]>>> = {
  float_floorDivide: ["exact_quotient"],
  float_remainder: ["exact_quotient"],
};

/** Types and constants of one value or of four. */
interface Kind {
  readonly f: string;
  readonly i: string;
  readonly u: string;
  /** Behind the names of functions. */
  readonly four: string;
}

const one: Kind = { f: "f32", i: "i32", u: "u32", four: "" };
const four: Kind = { f: "vec4<f32>", i: "vec4<i32>", u: "vec4<u32>", four: "4" };

const texts: Readonly<Record<FunctionName, (kind: Kind) => string>> = {
  program_quotient: ({ f, four }) => `/** a / b; 0 if b is 0. */
fn program_quotient${four}(a: ${f}, b: ${f}) -> ${f} {
  let none = b == ${f}();
  return select(a / select(b, ${f}(1.0), none), ${f}(), none);
}`,
  exact_quotient: ({ f, four }) => `/**
 * a / b with what rounding left: WGSL's quotient may be off by 2.5 units in the last place, and one that is
 * just below an integer would be rounded down.
 */
fn exact_quotient${four}(a: ${f}, b: ${f}) -> ${f} {
  let none = b == ${f}();
  let divisor = select(b, ${f}(1.0), none);
  let quotient = a / divisor;
  let rest = fma(-quotient, divisor, a);
  // Not where the rest overflows or is too small to be a number.
  let ordinary = (abs(quotient) < ${f}(0x1p60)) & (abs(divisor) < ${f}(0x1p60)) & (abs(a) > ${f}(0x1p-60));
  return select(select(quotient, quotient + rest / divisor, ordinary), ${f}(), none);
}`,
  float_floorDivide: ({ f, four }) => `fn float_floorDivide${four}(a: ${f}, b: ${f}) -> ${f} {
  return floor(exact_quotient${four}(a, b));
}`,
  float_remainder: ({ f, four }) => `fn float_remainder${four}(a: ${f}, b: ${f}) -> ${f} {
  return select(a - floor(exact_quotient${four}(a, b)) * b, ${f}(), b == ${f}());
}`,
  int_floorDivide: ({ i, four }) => `/** ⌊a / b⌋; 0 if b is 0. −2^31 / −1 wraps. */
fn int_floorDivide${four}(a: ${i}, b: ${i}) -> ${i} {
  let none = b == ${i}();
  let wraps = (b == ${i}(-1)) & (a == ${i}(i32(-2147483648)));
  let divisor = select(b, ${i}(1), none | wraps);
  let quotient = a / divisor;
  let rest = a - quotient * divisor;
  let down = (rest != ${i}()) & ((rest < ${i}()) != (divisor < ${i}()));
  return select(quotient - select(${i}(), ${i}(1), down), ${i}(), none);
}`,
  int_remainder: ({ i, four }) => `/** a − b · ⌊a / b⌋, of b's sign; 0 if b is 0. */
fn int_remainder${four}(a: ${i}, b: ${i}) -> ${i} {
  let none = b == ${i}();
  let divisor = select(b, ${i}(1), none | (b == ${i}(-1)));
  let rest = a % divisor;
  let other = (rest != ${i}()) & ((rest < ${i}()) != (divisor < ${i}()));
  return select(rest + select(${i}(), divisor, other), ${i}(), none);
}`,
  float_to_int: ({
    f,
    i,
    u,
    four,
  }) => `/** Rounded towards 0; the nearest end beyond the range; 0 of NaN. */
fn float_to_int${four}(x: ${f}) -> ${i} {
  let bits = bitcast<${u}>(x) & ${u}(0x7fffffffu);
  let negative = (bitcast<${u}>(x) & ${u}(0x80000000u)) != ${u}();
  // By bits, which arithmetic that assumes no infinities leaves alone.
  let beyond = bits >= ${u}(0x4f000000u);
  let end = select(${i}(2147483647), ${i}(i32(-2147483648)), negative);
  let inside = ${i}(select(x, ${f}(), beyond));
  return select(select(inside, end, beyond), ${i}(), bits > ${u}(0x7f800000u));
}`,
  program_sqrt: ({ f, four }) => `/** The root with what rounding left: see \`exact_quotient\`. */
fn program_sqrt${four}(x: ${f}) -> ${f} {
  let root = sqrt(x);
  let ordinary = (x > ${f}(0x1p-60)) & (x < ${f}(0x1p60));
  let divisor = select(${f}(1.0), root, ordinary);
  return select(root, root + 0.5 * fma(-divisor, divisor, x) / divisor, ordinary);
}`,
  program_exp: ({ f, four }) => `/** 0 below −104: WGSL does not say what exp is there. */
fn program_exp${four}(x: ${f}) -> ${f} {
  return select(exp(select(x, ${f}(), x < ${f}(-104.0))), ${f}(), x < ${f}(-104.0));
}`,
  program_log: ({ f, i, u, four }) => `/**
 * The logarithm of the mantissa by the series of artanh, and of the exponent: the built-in function may be off by
 * 2^-21 near 1. −∞ of 0 and NaN below are written as bits.
 */
fn program_log${four}(x: ${f}) -> ${f} {
  let small = x < ${f}(0x1p-126);
  let bits = bitcast<${u}>(select(x, x * 0x1p24, small));
  // The mantissa between √½ and √2.
  let shifted = bits - ${u}(0x3f3504f3u);
  let exponent = ${f}(bitcast<${i}>(shifted) >> ${u}(23u)) - select(${f}(), ${f}(24.0), small);
  let mantissa = bitcast<${f}>((shifted & ${u}(0x7fffffu)) + ${u}(0x3f3504f3u));
  let s = (mantissa - 1.0) / (mantissa + 1.0);
  let q = s * s;
  let series = s * q * (0.66666667 + q * (0.4 + q * (0.28571429 + q * (0.22222222 + q * 0.18181818))));
  let finite = exponent * 0.693359375 + (exponent * -2.1219444e-4 + series + 2.0 * s);
  let own = bitcast<${u}>(x);
  let infinite = select(own, ${u}(0xff800000u), (own & ${u}(0x7fffffffu)) == ${u}());
  let none = select(infinite, ${u}(0x7fc00000u), own > ${u}(0x80000000u));
  let unusual = (own == ${u}()) | (own >= ${u}(0x7f800000u));
  return bitcast<${f}>(select(bitcast<${u}>(finite), none, unusual));
}`,
  program_tanh: ({ f, four }) =>
    four
      ? `fn program_tanh4(x: ${f}) -> ${f} {
  return tanh4(x);
}`
      : `fn program_tanh(x: f32) -> f32 {
  return tanh4(vec4<f32>(x)).x;
}`,
};

/** Declarations of the functions that some text calls. They use `tanh4`, which `logitsFragment` declares. */
export function functionFragments(text: string): Fragment[] {
  const fragments: Fragment[] = [];
  const added = new Set<string>();
  const add = (name: FunctionName, kind: Kind): void => {
    if (added.has(name + kind.four)) return;
    added.add(name + kind.four);
    for (const needed of needs[name] ?? []) add(needed, kind);
    fragments.push({ wgsl: texts[name](kind) });
  };
  for (const name of names) {
    if (text.includes(`${name}(`)) add(name, one);
    if (text.includes(`${name}4(`)) add(name, four);
  }
  return fragments;
}
