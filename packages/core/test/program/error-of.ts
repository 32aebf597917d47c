import type { InvalidInputError } from "@heed/core";
import { expect } from "vitest";

/** The error of something that is wrong on purpose. */
export function errorOf(run: () => unknown): InvalidInputError {
  try {
    run();
  } catch (error) {
    // By name: what throws may be the sources, or a copy of core that was built.
    expect(error).toMatchObject({ name: "InvalidInputError" });
    return error as InvalidInputError;
  }
  throw new Error("no error");
}
