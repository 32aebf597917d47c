import { equal } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { table } from "../program/sources.js";
import type { HostTensor } from "../tensor/tensor.js";
import { checkShape } from "./arguments.js";

/**
 * Queries see the keys of their own document, where several are packed into one sequence (the
 * document mask of FlexAttention, arXiv:2412.05496; packing, arXiv:2107.02027). `and(causal(), document(ids))` is
 * what language models train on.
 *
 * @param documents number of the document of each position, int32 `[batch, length]`, or `[1, length]` for all
 * @throws InvalidInputError naming `documents`
 */
export function document(documents: HostTensor): MaskProgram {
  const ids = table(
    checkShape("documents", documents, "int32", [null, null]) as HostTensor<"int32">,
  );
  return maskMod(({ batch, query, key }) => equal(ids.at(batch, query), ids.at(batch, key)));
}
