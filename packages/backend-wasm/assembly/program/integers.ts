import * as P from "../../src/shared/program";
import { addressOf, stepOf } from "./operands";

// Instructions on int32 and bools, each a loop over vectors of four lanes: see src/shared/program.ts.

/** ⌊a / b⌋ of two of four int32, in float64, which rounds no quotient to another integer. */
// @ts-ignore: decorator
@inline
function quotients(a: v128, b: v128): v128 {
  const quotient = f64x2.div(f64x2.convert_low_i32x4_s(a), f64x2.convert_low_i32x4_s(b));
  return i32x4.trunc_sat_f64x2_s_zero(f64x2.floor(quotient));
}

/** ⌊a / b⌋; 0 if b is 0; −2^31 / −1 wraps. */
// @ts-ignore: decorator
@inline
function floorDivide(a: v128, b: v128): v128 {
  const high = quotients(v128.shuffle<i64>(a, a, 1, 0), v128.shuffle<i64>(b, b, 1, 0));
  const quotient = v128.shuffle<i64>(quotients(a, b), high, 0, 2);
  const whole = v128.bitselect(i32x4.neg(a), quotient, i32x4.eq(b, i32x4.splat(-1)));
  return v128.and(whole, i32x4.ne(b, i32x4.splat(0)));
}

/** Runs an instruction on so many vectors. */
export function runIntegers(at: usize, vectors: i32): void {
  const to = load<usize>(at, P.instructionTo);
  const operandA = load<usize>(at, P.instructionA);
  const operandB = load<usize>(at, P.instructionB);
  let p = addressOf(to);
  const step = stepOf(to);
  let a = addressOf(operandA);
  const stepA = stepOf(operandA);
  let b = addressOf(operandB);
  const stepB = stepOf(operandB);
  // One vector has no step.
  const stride = step ? step : 16;
  const end = p + stride * <usize>vectors;
  const zero = i32x4.splat(0);
  switch (load<i32>(at, P.instructionCode)) {
    case P.codeAdd:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.add(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeSubtract:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.sub(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeMultiply:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.mul(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloorDivide:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, floorDivide(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeRemainder:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, v128.and(i32x4.sub(x, i32x4.mul(floorDivide(x, y), y)), i32x4.ne(y, zero)));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeMinimum:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.min_s(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeMaximum:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.max_s(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeEqual:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.eq(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeNotEqual:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.ne(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeLess:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.lt_s(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeLessEqual:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, i32x4.le_s(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeAnd:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, v128.and(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeOr:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, v128.or(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeShift: {
      const bits = load<i32>(b);
      while (p < end) {
        v128.store(p, i32x4.shr_s(v128.load(a), bits));
        p += stride;
        a += stepA;
      }
      return;
    }
    case P.codeWhere: {
      const operandC = load<usize>(at, P.instructionC);
      let c = addressOf(operandC);
      const stepC = stepOf(operandC);
      while (p < end) {
        v128.store(p, v128.bitselect(v128.load(b), v128.load(c), v128.load(a)));
        p += stride;
        a += stepA;
        b += stepB;
        c += stepC;
      }
      return;
    }
    case P.codeIndex: {
      const last = v128.load32_splat(at, P.instructionData);
      const factor = v128.load32_splat(at, P.instructionStride);
      while (p < end) {
        const index = i32x4.min_s(i32x4.max_s(v128.load(a), zero), last);
        v128.store(p, i32x4.add(v128.load(b), i32x4.mul(index, factor)));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    }
    case P.codeLookUp: {
      const table = load<usize>(at, P.instructionData);
      while (p < end) {
        const index = v128.load(a);
        let x = v128.load32_zero(table + 4 * <usize>i32x4.extract_lane(index, 0));
        x = v128.load32_lane(table + 4 * <usize>i32x4.extract_lane(index, 1), x, 1);
        x = v128.load32_lane(table + 4 * <usize>i32x4.extract_lane(index, 2), x, 2);
        x = v128.load32_lane(table + 4 * <usize>i32x4.extract_lane(index, 3), x, 3);
        v128.store(p, x);
        p += stride;
        a += stepA;
      }
      return;
    }
    case P.codeLookUpBool: {
      const table = load<usize>(at, P.instructionData);
      while (p < end) {
        const index = v128.load(a);
        const x = i32x4(
          load<u8>(table + <usize>i32x4.extract_lane(index, 0)),
          load<u8>(table + <usize>i32x4.extract_lane(index, 1)),
          load<u8>(table + <usize>i32x4.extract_lane(index, 2)),
          load<u8>(table + <usize>i32x4.extract_lane(index, 3)),
        );
        v128.store(p, i32x4.ne(x, zero));
        p += stride;
        a += stepA;
      }
      return;
    }
    case P.codeNegative:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, i32x4.neg(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeAbs:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, i32x4.abs(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeNot:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, v128.not(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeToFloat:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, f32x4.convert_i32x4_s(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeToInt:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, i32x4.trunc_sat_f32x4_s(x));
        p += stride;
        a += stepA;
      }
      return;
  }
}
