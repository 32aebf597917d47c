import type { ProgramCase } from "../../../run/case.js";
import { keyLaws } from "./keys.js";
import { partLaws } from "./parts.js";
import { programLaws } from "./programs.js";
import { randomPrograms } from "./random-programs.js";
import { lawCase } from "./search.js";
import { servingLaws } from "./serving.js";
import { valueLaws } from "./values.js";

/** Laws of attention, each tried on random problems. */
export const laws: readonly ProgramCase[] = [
  ...[...keyLaws, ...partLaws, ...valueLaws].map((law) => lawCase(law)),
  ...servingLaws.map((law) => lawCase(law, "serving")),
  ...programLaws,
  ...randomPrograms,
];
