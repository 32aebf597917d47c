import { type Advice, holdsFor, ofTheModel } from "./recommend.js";

/** Renders the advice on which backends to use as plain text. */
export function renderAdvice(all: readonly Advice[]): string {
  return all
    .map(({ environment, holds, words, resident, sites }) =>
      [
        `to use in ${environment}, for ${holds}:`,
        ...words.map((line) => `  ${line}`),
        ...(resident.length > 0 ? [`for ${holdsFor.resident}:`] : []),
        ...resident.map((line) => `  ${line}`),
        ...(sites.length > 0 ? [`for ${ofTheModel}:`] : []),
        ...sites.map((line) => `  ${line}`),
      ].join("\n"),
    )
    .join("\n");
}
