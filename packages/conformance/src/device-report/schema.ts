import { InvalidInputError } from "@heed/core";
import * as v from "valibot";
import { longestName, longestText, most, mostCharacters } from "./bounds.js";
import { type DeviceReport, deviceReportVersion } from "./device-report.js";

/**
 * Control characters and those that change the direction of writing, with which a text can look like another one
 * (Unicode Technical Report 36, section 2.5).
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const deceptive = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text in one line, of which every character is shown. */
const textOf = (longest: number) =>
  v.pipe(
    v.string(),
    v.maxLength(longest),
    v.transform((given) => given.replace(deceptive, "\ufffd")),
  );
const text = textOf(longestText);
const textsOf = (members: number) => v.pipe(v.array(text), v.maxLength(members));
const texts = textsOf(most.texts);
// JSON can say 1e999.
const quantity = v.pipe(v.number(), v.finite(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const date = v.pipe(text, v.isoTimestamp());
const listOf = <S extends v.GenericSchema>(member: S, members: number) =>
  v.pipe(v.array(member), v.maxLength(members));

const recordOf = <S extends v.GenericSchema>(member: S, members: number) =>
  v.pipe(
    v.record(text, member),
    v.check((given) => Object.keys(given).length <= members, `at most ${members} members`),
  );

const info = v.object({
  runtime: text,
  device: text,
  features: texts,
  threads: count,
  notes: v.exactOptional(texts),
});

const environment = v.object({
  engine: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,39}$/)),
  versions: recordOf(text, most.texts),
  platform: text,
  cpu: v.nullable(text),
  cores: v.nullable(count),
  memory: v.nullable(quantity),
  notes: v.exactOptional(texts),
});

const conformance = v.object({
  backend: text,
  unavailable: v.nullable(v.object({ reason: text, hint: v.exactOptional(text) })),
  info: v.nullable(info),
  profiles: recordOf(
    v.object({ pass: count, fail: count, "known-failure": count, unsupported: count }),
    most.profiles,
  ),
  // As many as the size of the file allows.
  failures: v.array(
    v.object({
      id: text,
      outcome: v.picklist(["fail", "known-failure"]),
      messages: texts,
      explanations: texts,
    }),
  ),
  failuresLeftOut: count,
  refusals: listOf(
    v.object({ code: text, message: text, hint: v.exactOptional(text), cases: count }),
    most.refusals,
  ),
});

const result = v.variant("status", [
  v.object({
    contender: text,
    status: v.literal("measured"),
    median: quantity,
    p25: quantity,
    p75: quantity,
    device: v.exactOptional(quantity),
    count,
  }),
  v.object({
    contender: text,
    status: v.picklist(["wrong", "refused", "failed"]),
    message: text,
  }),
]);

const benchmark = v.object({
  date,
  dtype: text,
  threads: count,
  contenders: listOf(
    v.object({
      name: text,
      kind: v.picklist(["backend", "peer"]),
      info: v.nullable(info),
      unavailable: v.nullable(text),
    }),
    most.contenders,
  ),
  cases: listOf(
    v.object({
      id: text,
      title: text,
      operation: text,
      flops: quantity,
      bytes: quantity,
      results: listOf(result, most.contenders),
    }),
    most.cases,
  ),
  casesLeftOut: count,
});

/** The format of a device report. Members that it does not know are dropped, except in a table of tuning. */
export const deviceReportSchema: v.GenericSchema<unknown, DeviceReport> = v.object({
  format: v.literal("heed-device"),
  version: v.literal(deviceReportVersion),
  created: date,
  device: v.nullable(textOf(longestName)),
  environment,
  conformance: v.exactOptional(listOf(conformance, most.backends)),
  benchmark: v.exactOptional(benchmark),
  tuning: v.exactOptional(v.looseObject({ format: text, version: count })),
});

/** Checked first: of another kind of file, or another version, nothing else is worth saying. */
const head = v.object({ format: v.optional(v.unknown()), version: v.optional(v.unknown()) });

/**
 * Reads a device report, which may come from anybody.
 *
 * @param name what the text is called in errors, such as the name of its file
 * @throws InvalidInputError that names the member at fault
 */
export function parseDeviceReport(json: string, name: string = "report"): DeviceReport {
  if (json.length > mostCharacters) {
    throw new InvalidInputError(name, `at most ${mostCharacters} characters`, `${json.length}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new InvalidInputError(name, "JSON", String(cause), { cause });
  }
  return checkDeviceReport(value, name);
}

/** @throws InvalidInputError that names the member at fault */
export function checkDeviceReport(value: unknown, name: string = "report"): DeviceReport {
  const { format, version } = checked(head, value, name);
  if (format !== "heed-device") {
    throw new InvalidInputError(`${name}.format`, '"heed-device"', show(format));
  }
  if (version !== deviceReportVersion) {
    const known = `${deviceReportVersion}, the only one that this release reads`;
    throw new InvalidInputError(`${name}.version`, known, show(version));
  }
  return checked(deviceReportSchema, value, name);
}

function checked<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  throw new InvalidInputError(
    path === null ? name : `${name}.${path}`,
    issue.expected ?? issue.message,
    issue.received.slice(0, 60),
  );
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 60);
}
