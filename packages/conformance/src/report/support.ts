import { type FeatureName, featureNames } from "./features.js";
import type { ConformanceReport } from "./report.js";

/** A backend's results on the cases that have a feature. */
export interface FeatureSupport {
  /**
   * `"pass"`: all; `"partly"`: some are refused for reasons that have to do with the feature;
   * `"refused"`: all are; `"fail"`: some fail, known failures included; `"none"`: nothing ran.
   */
  readonly status: "pass" | "partly" | "refused" | "fail" | "none";
  readonly passed: number;
  readonly failed: number;
  /** Why cases were refused, each sentence once. */
  readonly reasons: readonly string[];
}

/** A backend's support of every feature, derived from its report. */
export function supportOf(report: ConformanceReport): ReadonlyMap<FeatureName, FeatureSupport> {
  const refused = new Set<string>(
    featureNames.filter((feature) => {
      const outcomes = report.results.filter(({ features }) => features.includes(feature));
      return outcomes.length > 0 && outcomes.every(({ outcome }) => outcome === "unsupported");
    }),
  );
  return new Map(
    featureNames.map((feature) => [feature, supportOfFeature(report, feature, refused)]),
  );
}

/**
 * @param refused features that are refused altogether: that a case has one of these is why it is
 *   refused, and no other feature is to blame
 */
function supportOfFeature(
  report: ConformanceReport,
  feature: FeatureName,
  refused: ReadonlySet<string>,
): FeatureSupport {
  const results = report.results.filter(({ features }) => features.includes(feature));
  const passed = results.filter(({ outcome }) => outcome === "pass").length;
  const failed = results.filter(
    ({ outcome }) => outcome === "fail" || outcome === "known-failure",
  ).length;
  const blamed = results.filter(
    ({ outcome, features }) =>
      outcome === "unsupported" &&
      !features.some((other) => other !== feature && refused.has(other)),
  );
  const reasons = [...new Set(blamed.flatMap((r) => r.reasons.map(({ message }) => message)))];
  const status =
    failed > 0
      ? "fail"
      : passed > 0
        ? blamed.length > 0
          ? "partly"
          : "pass"
        : results.length > 0
          ? "refused"
          : "none";
  return { status, passed, failed, reasons };
}
