import { InvalidInputError } from "@heed/core";
import * as v from "valibot";
import type { ConformanceReport } from "./report.js";

/** JSON has no ±∞ and no NaN: they are strings. */
const number = v.union([v.number(), v.picklist(["Infinity", "-Infinity", "NaN"])]);
const outcome = v.picklist(["pass", "fail", "known-failure", "unsupported"]);
const reason = v.object({
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
});

const worst = v.object({
  output: v.string(),
  index: v.array(v.number()),
  expected: number,
  got: number,
  budgets: number,
});

const result = v.object({
  id: v.string(),
  profile: v.string(),
  outcome,
  features: v.array(v.string()),
  budgets: v.nullable(number),
  nmse: v.nullable(number),
  worst: v.nullable(worst),
  failures: v.array(v.string()),
  explanations: v.optional(v.array(v.array(v.string()))),
  reasons: v.array(reason),
  known: v.optional(v.object({ case: v.string(), link: v.string(), why: v.string() })),
  milliseconds: v.number(),
});

const report = v.object({
  backend: v.string(),
  unavailable: v.nullable(v.object({ reason: v.string(), hint: v.optional(v.string()) })),
  info: v.nullable(
    v.object({
      runtime: v.string(),
      device: v.string(),
      features: v.array(v.string()),
      threads: v.number(),
      notes: v.optional(v.array(v.string())),
    }),
  ),
  environment: v.string(),
  claims: v.array(v.string()),
  counts: v.object({
    pass: v.number(),
    fail: v.number(),
    "known-failure": v.number(),
    unsupported: v.number(),
  }),
  results: v.array(result),
});

/** The format of `report.json`. The version rises with every change that a reader would notice. */
export const documentSchema: v.GenericSchema<unknown> = v.object({
  format: v.literal("heed-conformance"),
  version: v.literal(1),
  /** ISO 8601. */
  created: v.string(),
  reports: v.array(report),
});

/** The contents of `report.json`. */
export interface ReportDocument {
  readonly format: "heed-conformance";
  readonly version: 1;
  /** ISO 8601. */
  readonly created: string;
  readonly reports: readonly ConformanceReport[];
}

export function makeDocument(
  reports: readonly ConformanceReport[],
  created: Date = new Date(),
): ReportDocument {
  return { format: "heed-conformance", version: 1, created: created.toISOString(), reports };
}

/** As JSON, with ±∞ and NaN as strings. */
export function documentToJson(document: ReportDocument): string {
  return `${JSON.stringify(
    document,
    (_, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value),
    2,
  )}\n`;
}

/**
 * Reads what {@link documentToJson} wrote, perhaps elsewhere: somebody with another device sends it.
 *
 * @throws InvalidInputError naming what is not as the format says
 */
export function parseDocument(json: string, name: string = "report"): ReportDocument {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InvalidInputError(name, "JSON", String(cause), { cause });
  }
  const parsed = v.safeParse(documentSchema, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const at = issue.path?.map(({ key }) => String(key)).join(".") ?? "";
    throw new InvalidInputError(`${name}: ${at}`, issue.expected ?? "another", issue.received);
  }
  return revive(parsed.output) as ReportDocument;
}

/** Turns the strings that stand for ±∞ and NaN back into numbers, in numeric fields. */
function revive(document: unknown): unknown {
  const numeric = new Set(["expected", "got", "budgets", "nmse"]);
  return JSON.parse(JSON.stringify(document), (key, value) =>
    numeric.has(key) && typeof value === "string" ? Number(value) : value,
  );
}
