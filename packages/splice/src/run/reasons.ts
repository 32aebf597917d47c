import { isHeedError } from "@heed/core";
import { NotInPlace, NotThisCall } from "./axes.js";

/** Why the runtime has to run a call; null for errors that are no matter of the call. */
export function reasonOf(error: unknown): string | null {
  return error instanceof NotThisCall ? error.message : refusalOf(error);
}

/** Why a call on the GPU has to be tried on host tensors; null for errors that are no matter of the call. */
export function reasonOnDevice(error: unknown): string | null {
  return error instanceof NotInPlace ? error.message : refusalOf(error);
}

/** Why no backend takes a call; null for other errors. */
function refusalOf(error: unknown): string | null {
  const refused = isHeedError(error, "unsupported") || isHeedError(error, "invalid-input");
  return refused ? error.message : null;
}
