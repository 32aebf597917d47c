import { type HostTensor, tensor } from "@heed/core";
import type { Random } from "../../../../calls/random.js";
import { decodeCall, servingCases, storedCall } from "./bases.js";
import type { ServingFeature } from "./serving-feature.js";

const { queryOffset: _, ...decode } = decodeCall;
/** One row a key head, whose keys may all be seen or not. */
const oneRow = { ...decode, queryHeads: 2, keyLength: 150, kvLengths: [150, 67, 13] } as const;
const long = { ...storedCall, queryLength: 70, keyLength: 150 } as const;
const table = (rows: number, columns: number): HostTensor =>
  tensor(new Int32Array(rows * columns), [rows, columns]);
const window = { left: 4, right: 1 } as const;

const wrongTables = (name: "queryPositions" | "keyPositions", columns: number) => ({
  [`${name} of another length`]: () => ({ [name]: table(2, columns + 1) }),
  [`${name} of three rows`]: () => ({ [name]: table(3, columns) }),
  [`${name} of floats`]: (_: unknown, random: Random) => ({
    [name]: random.tensor([2, columns], "float32"),
  }),
  [`${name} of rank 1`]: () => ({ [name]: tensor(new Int32Array(columns), [columns]) }),
  [`${name} as an array`]: () => ({ [name]: Array.from({ length: columns }, (_, i) => i) }),
});

/** Positions of queries and keys as data. */
export const dataPositions: ServingFeature = {
  factors: {
    queryPositions: {
      "p-index": {},
      "p-tree": { queryPositions: { order: "tree", one: true } },
      "p-scattered": { queryPositions: { order: "scattered" } },
    },
    keyPositions: {
      "k-index": {},
      "k-ring": { keyPositions: { order: "ring" } },
      "k-scattered": { keyPositions: { order: "scattered", one: true } },
    },
  },
  variations: {
    "positions of the queries": { queryPositions: { order: "tree" } },
    "positions of the queries, one row": { queryPositions: { order: "tree", one: true } },
    "positions of the keys": { keyPositions: { order: "ring" } },
    "positions of the keys, one row": { keyPositions: { order: "ring", one: true } },
  },
  valid: {
    ...storedCall,
    causal: true,
    queryPositions: { order: "plain" },
    keyPositions: { order: "ring" },
  },
  tensors: ["queryPositions", "keyPositions"],
  wrong: {
    ...wrongTables("queryPositions", 5),
    ...wrongTables("keyPositions", 12),
    "an offset beside positions": () => ({ queryOffset: 0 }),
    "the bottom right beside positions of keys": () => ({
      queryPositions: undefined,
      queryOffset: "bottom-right",
    }),
  },
  cases: servingCases({
    "positions-tree": { ...storedCall, causal: true, queryPositions: { order: "tree" } },
    "positions-tree-one-row": {
      ...storedCall,
      causal: true,
      queryPositions: { order: "tree", one: true },
    },
    "positions-scattered": { ...long, window, queryPositions: { order: "scattered" } },
    "positions-descending-window": {
      ...long,
      batch: 1,
      window: { left: 0, right: 12 },
      queryPositions: { order: "scattered" },
      poison: "NaN",
    },
    "key-positions-ring": {
      ...decode,
      window: { left: 20 },
      queryPositions: { order: "plain" },
      keyPositions: { order: "ring" },
    },
    "key-positions-ring-one-row": {
      ...oneRow,
      window: { left: 20 },
      queryPositions: { order: "plain" },
      keyPositions: { order: "ring" },
      poison: "NaN",
    },
    "key-positions-scattered-one-row": {
      ...oneRow,
      causal: true,
      queryPositions: { order: "scattered" },
      keyPositions: { order: "scattered" },
    },
    "key-positions-scattered-one-row-float16": {
      ...oneRow,
      kvDtype: "float16",
      window: { left: 60, right: 60 },
      queryPositions: { order: "scattered" },
      keyPositions: { order: "scattered" },
    },
    "key-positions-alone": { ...storedCall, causal: true, keyPositions: { order: "ring" } },
    "key-positions-one-row": {
      ...storedCall,
      window,
      keyPositions: { order: "scattered", one: true },
    },
    "key-positions-scattered-long": {
      ...long,
      causal: true,
      queryPositions: { order: "plain" },
      keyPositions: { order: "scattered" },
    },
    "key-positions-poison": {
      ...decode,
      window: { left: 9 },
      queryPositions: { order: "plain" },
      keyPositions: { order: "ring" },
      poison: "NaN",
    },
    "positions-alibi": {
      ...storedCall,
      alibi: true,
      queryPositions: { order: "scattered" },
      keyPositions: { order: "scattered" },
    },
    "positions-all-hidden": {
      ...storedCall,
      window: { left: 0, right: 0 },
      queryPositions: { order: "tree" },
      keyPositions: { order: "scattered" },
      poison: "NaN",
    },
    "positions-mask-bias-lengths": {
      ...storedCall,
      causal: true,
      kvLengths: [9, 12],
      mask: { shape: [2, 1, 5, 12] },
      bias: { shape: [4, 5, 12] },
      queryPositions: { order: "plain" },
      keyPositions: { order: "ring" },
    },
    "positions-weights": {
      ...storedCall,
      causal: true,
      keyPositions: { order: "ring" },
      queryPositions: { order: "tree" },
      returns: { logSumExp: true, weights: true, scores: "biased" },
    },
    "positions-ragged": {
      ...storedCall,
      batch: 3,
      window,
      queryPositions: { order: "tree" },
      keyPositions: { order: "ring" },
      ragged: { queries: [5, 0, 3], keys: [12, 4, 7] },
    },
    "positions-ragged-pages": {
      ...storedCall,
      batch: 3,
      window,
      kvLengths: [12, 4, 7],
      queryPositions: { order: "tree" },
      keyPositions: { order: "ring" },
      pages: { size: 4 },
      ragged: { queries: [5, 0, 3] },
    },
    "positions-pages-one-row": {
      ...decode,
      queryPositions: { order: "plain" },
      keyPositions: { order: "ring", one: true },
      pages: { size: 16 },
    },
    "positions-int8": {
      ...decode,
      kvDtype: "int8",
      window: { left: 30 },
      queryPositions: { order: "plain" },
      keyPositions: { order: "ring" },
    },
  }),
};
