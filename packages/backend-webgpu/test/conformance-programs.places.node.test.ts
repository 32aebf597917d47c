/**
 * The profile of programs, of which almost every case has a kernel of its own to compile: each named mask once, cases whose programs have
 * an operation, on values of a type, that no case before had, what such programs may meet, and the laws on few random programs;
 * all of it with `HEED_TEST_SCOPE=all`.
 */
import { webgpu } from "@heed/backend-webgpu";
import { type CaseSelection, testBackend } from "@heed/conformance/vitest";
import type * as masks from "@heed/core/masks";
import { problemOf, scope, withNewPieces } from "../../../test/select.js";

const newOperations = withNewPieces((c) => {
  if (c.profile !== "programs") return [];
  const { maskMod, scoreMod } = problemOf(c);
  return [maskMod, scoreMod].flatMap((program) =>
    (program?.nodes ?? []).map((node) =>
      [program?.kind, node.op, node.op === "variable" ? node.name : "", node.type].join(" "),
    ),
  );
});

/** Cases about rules, which a kernel may break though it has every operation. */
const rules =
  /division-by-0|negative-|indices-outside|overflow|float-to-int|empty-rows|nothing|poison|tables-of|biased-scores/;

/** A case of each mask of `@heed/core/masks`, and of the score that belongs to one; `null` for what is neither. */
const named = {
  area: "mask-area",
  bigBird: "mask-bigBird",
  bigBirdRandomBlocks: null,
  causal: "mask-causal",
  dilated: "mask-dilated",
  document: "mask-documents",
  longformer: "mask-longformer",
  neighbourhood: "mask-neighbourhood",
  prefixLM: "mask-prefix",
  slidingWindow: "mask-window",
  swin: "mask-swin",
  swinBias: "score-swinBias",
  tree: "mask-tree",
} satisfies Record<keyof typeof masks, string | null>;
const namedCases = new Set(Object.values(named).map((name) => `programs/${name}`));

const select: CaseSelection | undefined =
  newOperations &&
  (async (c) =>
    // Asked of each case, since it remembers what it was asked about.
    (await newOperations(c)) || !("spec" in c) || rules.test(c.id) || namedCases.has(c.id));

testBackend(webgpu({ allowFallbackAdapter: true }), {
  title: "programs",
  profile: "programs",
  select,
  // Each random program is compiled.
  ...(scope !== "all" && { runs: 2 }),
});
