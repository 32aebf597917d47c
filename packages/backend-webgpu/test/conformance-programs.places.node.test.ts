/**
 * The profile of programs, of which almost every case has a kernel of its own to compile: cases whose programs have
 * an operation, on values of a type, that no case before had; all cases with `HEED_TEST_SCOPE=all`.
 */
import { webgpu } from "@heed/backend-webgpu";
import { testBackend } from "@heed/conformance/vitest";
import { problemOf, withNewPieces } from "../../../test/select.js";

const newOperations = withNewPieces((c) => {
  if (c.profile !== "programs") return [];
  const { maskMod, scoreMod } = problemOf(c);
  return [maskMod, scoreMod].flatMap((program) =>
    (program?.nodes ?? []).map((node) =>
      [program?.kind, node.op, node.op === "variable" ? node.name : "", node.type].join(" "),
    ),
  );
});

testBackend(webgpu({ allowFallbackAdapter: true }), {
  title: "programs",
  profile: "programs",
  select: newOperations,
});
