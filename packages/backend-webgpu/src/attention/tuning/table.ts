import { describeValue } from "@heed/core";
import type { Settings } from "../choice/settings.js";
import { Damage } from "./damage.js";
import { readSettings } from "./read-settings.js";

/** A device as far as what is fastest on it goes: the adapter as it describes itself, and the features in use. */
export interface TunedDevice {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  /** With many implementations, this names the driver and its version. */
  readonly description: string;
  /** WebGPU features that kernels use, such as `"shader-f16"`. */
  readonly features: readonly string[];
}

/** Measurements of one class of problems. */
export interface TunedChoice {
  /** The fastest kernel and its sizes. */
  readonly settings: Settings;
  /** Time of the rule's choice divided by the time of this one, ≥ 1; 1 where the rule's choice is the fastest. */
  readonly gain: number;
}

/**
 * Choices that were measured on one device: plain JSON, to be stored and to be given to `webgpu({ tuning })`.
 * The version is raised whenever settings mean something else or kernels change so much that measurements are void.
 */
export interface TuningTable {
  readonly format: "heed-webgpu-tuning";
  readonly version: 1;
  readonly device: TunedDevice;
  /** By the class of problems, as `lengthClassKey` of core names it: lengths are rounded up to powers of two. */
  readonly choices: Readonly<Record<string, TunedChoice>>;
}

export const tuningFormat = "heed-webgpu-tuning";
export const tuningVersion = 1;

/** Bounds of a table that is believed: more is damage, or an attempt to fill memory. */
const mostChoices = 4096;
const longestText = 4096;
const mostFeatures = 64;

/** A table that was read, or why it is of no use. */
export type ReadTable =
  | { readonly device: TunedDevice; readonly choices: ReadonlyMap<string, TunedChoice> }
  | { readonly reason: string };

/**
 * Reads a value that claims to be a table. Nothing of it is believed before it is checked, and what is returned
 * shares nothing with it. Never throws.
 */
export function readTable(value: unknown): ReadTable {
  try {
    return checked(value);
  } catch (error) {
    return { reason: error instanceof Damage ? error.message : "it throws when it is read" };
  }
}

/** @throws Damage, and whatever the value throws */
function checked(value: unknown): ReadTable {
  const { format, version, device, choices } = members(value, "it");
  if (format !== tuningFormat) throw new Damage("it is no table of tuning");
  if (version !== tuningVersion) {
    throw new Damage(`it has version ${describeValue(version)}, and this is ${tuningVersion}`);
  }
  const entries = Object.entries(members(choices, "choices"));
  if (entries.length > mostChoices) throw new Damage(`it has more than ${mostChoices} choices`);
  const read = new Map<string, TunedChoice>();
  for (const [problems, choice] of entries) {
    if (problems.length > longestText) throw new Damage("the name of a class is too long");
    const { settings, gain } = members(choice, `choices[${describeValue(problems)}]`);
    if (!(typeof gain === "number" && gain >= 1 && Number.isFinite(gain))) {
      throw new Damage(`a gain is ${describeValue(gain)}, and not a number ≥ 1`);
    }
    read.set(problems, { settings: readSettings(members(settings, "settings")), gain });
  }
  return { device: readDevice(members(device, "device")), choices: read };
}

function readDevice(given: Readonly<Record<string, unknown>>): TunedDevice {
  const text = (name: string, value: unknown): string => {
    if (typeof value === "string" && value.length <= longestText) return value;
    throw new Damage(`${name} of its device is ${describeValue(value)}, and not a short text`);
  };
  const { features } = given;
  if (!Array.isArray(features) || features.length > mostFeatures) {
    throw new Damage(`features of its device are ${describeValue(features)}, and not a list`);
  }
  return {
    vendor: text("vendor", given.vendor),
    architecture: text("architecture", given.architecture),
    device: text("device", given.device),
    description: text("description", given.description),
    features: [...features].map((feature) => text("a feature", feature)),
  };
}

function members(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Damage(`${name} is ${describeValue(value)}, and not an object`);
}

/** Whether two descriptions are of the same adapter, driver and features. */
export function sameDevice(a: TunedDevice, b: TunedDevice): boolean {
  return likeDevice(a, b) && a.device === b.device && a.description === b.description;
}

/**
 * Whether measurements on one device say something about another: the same architecture with the same features,
 * and the same device where both say which they are. Browsers do not say it.
 */
export function likeDevice(a: TunedDevice, b: TunedDevice): boolean {
  const sorted = ({ features }: TunedDevice): string => [...features].sort().join();
  return (
    a.vendor === b.vendor &&
    a.architecture === b.architecture &&
    (a.device === b.device || a.device === "" || b.device === "") &&
    sorted(a) === sorted(b)
  );
}

/** A device in words. */
export function deviceWords(device: TunedDevice): string {
  const { vendor, architecture, device: name, description, features } = device;
  const words = [vendor, architecture, name, description].filter((word) => word !== "").join(" ");
  return `${words || "an adapter without a name"} with ${features.join(", ") || "no features"}`;
}
