import type { ConformanceCase } from "../../../run/case.js";
import { features } from "../features/index.js";
import { coreCases } from "./core.js";
import { decodeCases, decodeDTypeCases } from "./decode.js";
import { edgeCases } from "./edges.js";
import { extremeCases } from "./extremes.js";
import { finfoMinCases } from "./finfo-min.js";
import { hiddenCases } from "./hidden.js";
import { maskCases } from "./masks.js";
import { notFiniteCases } from "./not-finite.js";
import { numericsCases } from "./numerics.js";
import { pairCases } from "./pairs.js";
import { programCases } from "./programs.js";
import { servingCases } from "./serving.js";

/** Every synthetic case. */
export const cases: readonly ConformanceCase[] = [
  ...coreCases,
  ...features.flatMap((feature) => feature.cases),
  ...decodeCases,
  ...maskCases,
  ...finfoMinCases,
  ...numericsCases,
  ...decodeDTypeCases,
  ...extremeCases,
  ...hiddenCases,
  ...notFiniteCases,
  ...edgeCases,
  ...pairCases,
  ...servingCases,
  ...programCases,
];
