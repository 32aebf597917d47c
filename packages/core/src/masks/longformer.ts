import { checkNames, reading } from "../options.js";
import { abs, lessEqual, or, subtract } from "../program/functions.js";
import { maskMod } from "../program/program.js";
import type { MaskProgram } from "../program/program-class.js";
import { table } from "../program/sources.js";
import type { HostTensor } from "../tensor/tensor.js";
import { checkCount, checkShape } from "./arguments.js";

/** Window and global tokens of Longformer's attention. */
export interface LongformerOptions {
  /** How many tokens a token sees on each side, ≥ 0: half of the window's size. */
  readonly window: number;
  /** Tokens that see everything and are seen by everything: bool `[batch, length]`, or `[1, length]` for all. */
  readonly global: HostTensor;
}

const names: ReadonlySet<string> = new Set(["window", "global"]);

/**
 * A window around each token, and global tokens (Longformer, Beltagy et al., 2020, arXiv:2004.05150).
 *
 * @throws InvalidInputError naming the option at fault
 */
export function longformer(options: LongformerOptions): MaskProgram {
  checkNames("options", options, names);
  const { window, global } = reading("options", () => ({ ...options }));
  checkCount("window", window, 0);
  const isGlobal = table(checkShape("global", global, "bool", [null, null]) as HostTensor<"bool">);
  return maskMod(({ batch, query, key }) =>
    or(
      lessEqual(abs(subtract(query, key)), window),
      isGlobal.at(batch, query),
      isGlobal.at(batch, key),
    ),
  );
}
