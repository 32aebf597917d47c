/**
 * The operations beside attention that the suite asks about, with what each is about in a few words: a
 * profile and a row of the table of support each. An operation is registered here and, with its cases, in
 * `index.ts`.
 */
export const operationSubjects = {
  rotary: "rotary position embedding",
  merge: "merging of partial attention",
  scatter: "writing rows into a cache",
  projection: "linear layers",
  rmsNorm: "root mean square normalisation",
} as const;

export type OperationName = keyof typeof operationSubjects;

export const operationNames: readonly OperationName[] = Object.keys(
  operationSubjects,
) as OperationName[];
