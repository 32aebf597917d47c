/** Outcomes that say nothing about the tests. */
const ignored = {
  invalid: "do not compile",
  equivalent: "equivalent",
  "on load": "run only while modules load, and cannot be switched",
  "not dispatched": "in lines that no case dispatches on this device",
};

/**
 * @param {readonly { outcome: string }[]} results
 * @returns {{ score: number, counted: number, lived: number, notCounted: Record<string, number> }} score: percent of
 *   those that count which were noticed
 */
export function scoreOf(results) {
  const notCounted = {};
  let counted = 0;
  let lived = 0;
  for (const { outcome } of results) {
    if (outcome in ignored) {
      notCounted[ignored[outcome]] = (notCounted[ignored[outcome]] ?? 0) + 1;
      continue;
    }
    counted += 1;
    if (outcome === "lives") lived += 1;
  }
  return { score: (100 * (counted - lived)) / Math.max(1, counted), counted, lived, notCounted };
}
