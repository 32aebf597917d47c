import type { Doubles } from "./doubles.js";

/** An operation on two lists, from their starts on. */
export type FloatLists = (
  o: Doubles,
  to: number,
  a: Doubles,
  from: number,
  b: Doubles,
  second: number,
  n: number,
) => void;

/** An operation on a list and three numbers, one for each of three elements that follow one another. */
export type FloatListAndNumbers = (
  o: Doubles,
  to: number,
  a: Doubles,
  from: number,
  x: number,
  y: number,
  z: number,
  n: number,
) => void;

/** An operation on one list. */
export type FloatList = (o: Doubles, to: number, a: Doubles, from: number, n: number) => void;

/** A comparison of two lists: 0 and 1. */
export type FloatComparison = (
  o: Int32Array,
  a: Doubles,
  from: number,
  b: Doubles,
  second: number,
  n: number,
) => void;
