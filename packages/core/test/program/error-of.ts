import { InvalidInputError } from "@heed/core";
import { expect } from "vitest";

/** The error of something that is wrong on purpose. */
export function errorOf(run: () => unknown): InvalidInputError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return error as InvalidInputError;
  }
  throw new Error("no error");
}
