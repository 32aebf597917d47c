import {
  applyDeclaration,
  type CaseResult,
  checkBackend,
  readDeclaration,
} from "@heed/conformance";
import { type AttentionProvider, reference, UnsupportedError } from "@heed/core";
import { describe, expect, test } from "vitest";

const link = "https://github.com/example/backend/issues/1";
const known = { case: "core/causal", link, why: "the diagonal is hidden" };
const ids = ["core/causal", "core/softcap"];

describe("readDeclaration", () => {
  test.each([
    [{ profiles: ["all"] }, "profiles: expected some of core"],
    [{ knownFailures: [{ ...known, case: "core/gone" }] }, "knownFailures[0].case"],
    [{ knownFailures: [known, known] }, "knownFailures[1].case: expected each case once"],
    [{ knownFailures: [{ ...known, link: "see the tracker" }] }, "knownFailures[0].link"],
    [{ knownFailures: [{ ...known, why: "" }] }, "knownFailures[0].why"],
  ])("refuses %j", (declaration, message) => {
    expect(() => readDeclaration(declaration, ids)).toThrow(message);
  });

  test("takes what is right, and nothing at all", () => {
    const declaration = { profiles: ["core"], knownFailures: [known] };
    expect(readDeclaration(declaration, ids)).toEqual(declaration);
    expect(readDeclaration(undefined, ids)).toEqual({});
  });
});

describe("applyDeclaration", () => {
  const result = (outcome: CaseResult["outcome"]): CaseResult => ({
    id: "core/causal",
    profile: "core",
    outcome,
    features: [],
    budgets: null,
    nmse: null,
    worst: null,
    failures: [],
    reasons: [],
    milliseconds: 1,
  });
  const outcomeOf = (outcome: CaseResult["outcome"], declaration: object) =>
    applyDeclaration(result(outcome), declaration).outcome;

  test("counts a known failure apart while it fails, and fails it once it passes", () => {
    expect(outcomeOf("fail", { knownFailures: [known] })).toBe("known-failure");
    expect(outcomeOf("pass", { knownFailures: [known] })).toBe("fail");
    expect(outcomeOf("unsupported", { knownFailures: [known] })).toBe("fail");
    expect(outcomeOf("fail", {})).toBe("fail");
  });

  test("lets no claimed profile refuse, or have known failures", () => {
    expect(outcomeOf("unsupported", { profiles: ["core"] })).toBe("fail");
    expect(outcomeOf("unsupported", { profiles: ["masks"] })).toBe("unsupported");
    expect(outcomeOf("fail", { profiles: ["core"], knownFailures: [known] })).toBe("fail");
    expect(outcomeOf("pass", { profiles: ["core"] })).toBe("pass");
  });
});

test("a backend that claims core and refuses part of it fails there", async () => {
  const reasons = [{ code: "causal", message: "no causal attention" }];
  const provider: AttentionProvider = {
    name: "picky",
    load: async () => {
      const inner = await reference().load();
      return {
        name: "picky",
        info: inner.info,
        supports: (problem) => (problem.causal ? { ok: false, reasons } : { ok: true }),
        plan: (problem) => {
          if (problem.causal) throw new UnsupportedError([{ backend: "picky", reasons }]);
          return inner.plan(problem);
        },
        dispose: () => inner.dispose(),
      };
    },
  };
  const check = (declaration: object) =>
    checkBackend(provider, { filter: "core/causal-l150", vectors: false, declaration });
  expect((await check({})).counts).toMatchObject({ unsupported: 1, fail: 0 });
  expect((await check({ profiles: ["core"] })).counts).toMatchObject({ unsupported: 0, fail: 1 });
});
