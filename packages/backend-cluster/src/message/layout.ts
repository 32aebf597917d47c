import type { DType } from "@heed/core";

// The layout of messages, version 1; docs/cluster.md has it as a table. All numbers are little-endian.

/** First four bytes of every message: "HEED". */
export const magic = 0x44454548;

/** Workers and clients of different versions refuse each other's messages. */
export const version = 1;

/** Number of each kind of request. */
export const kinds = {
  /** Makes a part of a tensor, of zeros or to be filled. */
  create: 1,
  /** Writes bytes of a part that is being filled. */
  fill: 2,
  /** Ends the filling of a part. */
  seal: 3,
  /** Writes rows into a part. */
  write: 4,
  /** Computes attention over parts. */
  attend: 5,
  /** Reads elements of a part. */
  read: 6,
  /** Gives parts back. */
  release: 7,
  /** Copies a part from another worker. */
  copy: 8,
  /** Asks how a part is made and which version it has. */
  inspect: 9,
  /** Keeps the parts of a session alive. */
  keep: 10,
  /** Asks every worker of the group to say what it has. */
  hello: 11,
  /** A worker says what it has and how busy it is. */
  beat: 12,
} as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

/** Number of each kind of answer. */
export const statuses = {
  ok: 0,
  /** The message breaks the layout, or is of another version or group. */
  malformed: 1,
  /** The worker has no such part. */
  unknownPart: 2,
  /** The part has another version than the request needs. */
  otherVersion: 3,
  /** The local backend does not compute the call. */
  unsupported: 4,
  /** The worker has too little memory left. */
  outOfMemory: 5,
  /** Too many requests are open. */
  busy: 6,
  /** The local backend failed. */
  failed: 7,
  /** The call is no valid one. */
  invalid: 8,
} as const;
export type Status = (typeof statuses)[keyof typeof statuses];

/** Element types in the order of their numbers. */
export const dtypeCodes: readonly DType[] = [
  "float64",
  "float32",
  "float16",
  "int32",
  "int8",
  "uint8",
  "bool",
];

/** The most axes of a tensor in a message. */
export const mostAxes = 4;
/** The most bytes of a text. */
export const mostTextBytes = 65535;
