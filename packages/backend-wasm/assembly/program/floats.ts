import * as P from "../../src/shared/program";
import { expAny, logAny } from "../math/natural";
import { tanh } from "../math/tanh";
import { addressOf, stepOf } from "./operands";

// Instructions on float32, each a loop over vectors of four lanes: see src/shared/program.ts.

/** Runs an instruction on so many vectors. */
export function runFloats(at: usize, vectors: i32): void {
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
    case P.codeFloatAdd:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.add(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatSubtract:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.sub(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatMultiply:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.mul(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatDivide:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, v128.and(f32x4.div(x, y), f32x4.ne(y, zero)));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatFloorDivide:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, v128.and(f32x4.floor(f32x4.div(x, y)), f32x4.ne(y, zero)));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatRemainder:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, v128.and(f32x4.sub(x, f32x4.mul(f32x4.floor(f32x4.div(x, y)), y)), f32x4.ne(y, zero)));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatMinimum:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.min(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatMaximum:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.max(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatEqual:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.eq(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatNotEqual:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.ne(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatLess:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.lt(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatLessEqual:
      while (p < end) {
        const x = v128.load(a);
        const y = v128.load(b);
        v128.store(p, f32x4.le(x, y));
        p += stride;
        a += stepA;
        b += stepB;
      }
      return;
    case P.codeFloatNegative:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, f32x4.neg(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeFloatAbs:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, f32x4.abs(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeFloor:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, f32x4.floor(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeSqrt:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, f32x4.sqrt(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeExp:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, expAny(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeLog:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, logAny(x));
        p += stride;
        a += stepA;
      }
      return;
    case P.codeTanh:
      while (p < end) {
        const x = v128.load(a);
        v128.store(p, tanh(x));
        p += stride;
        a += stepA;
      }
      return;
  }
}
