import type { Measured } from "../choice/settings.js";
import {
  deviceWords,
  likeDevice,
  type ReadTable,
  readTable,
  sameDevice,
  type TunedDevice,
  type TuningTable,
  tuningFormat,
  tuningVersion,
} from "./table.js";

/** Everything that is known to be fast on one device: what tables say, and what was measured here. */
export class DeviceTuning {
  readonly device: TunedDevice;
  /** By class of problems, for `choose`. */
  readonly choices: ReadonlyMap<string, Measured>;
  readonly #choices = new Map<string, Measured>();
  /** Classes that the package's own table has decided about: they are not handed out again. */
  readonly #builtIn = new Set<string>();
  readonly #notes: string[] = [];

  constructor(device: TunedDevice) {
    this.device = device;
    this.choices = this.#choices;
  }

  /** Takes a table of the package, if it is for devices like this one. */
  addBuiltIn(value: unknown): void {
    const table = readTable(value);
    if ("reason" in table || !likeDevice(table.device, this.device)) return;
    for (const [problems, { settings, gain }] of table.choices) {
      this.#choices.set(problems, { settings, gain, source: "the package's table" });
      this.#builtIn.add(problems);
    }
    const driver = sameDevice(table.device, this.device) ? "" : ", measured with another driver";
    this.#note(table.choices.size, `from the package's table for this device${driver}`);
  }

  /** Takes a table of the application; one that is damaged or of another device is ignored, and a note says so. */
  addGiven(value: unknown): void {
    const table = this.#accepted(value);
    if (table === null) return;
    for (const [problems, { settings, gain }] of table.choices) {
      this.#set(problems, { settings, gain, source: "a table of the application" });
    }
    this.#note(table.choices.size, "from a table of the application");
  }

  /** Remembers what was measured for a class of problems. */
  add(problems: string, choice: Omit<Measured, "source">): void {
    this.#set(problems, { ...choice, source: "measured on this device" });
  }

  /** Tables that were taken or ignored, in words. */
  get notes(): readonly string[] {
    const own = [...this.#choices.values()].filter(
      ({ source }) => source === "measured on this device",
    ).length;
    return own === 0 ? this.#notes : [...this.#notes, `${count(own)} measured on this device`];
  }

  /** Tables that applications gave and results that were measured, for a later backend; null if there are none. */
  get table(): TuningTable | null {
    const own = [...this.#choices].filter(([problems]) => !this.#builtIn.has(problems));
    if (own.length === 0) return null;
    return {
      format: tuningFormat,
      version: tuningVersion,
      device: this.device,
      choices: Object.fromEntries(
        own.map(([problems, { settings, gain }]) => [problems, { settings, gain }]),
      ),
    };
  }

  #set(problems: string, choice: Measured): void {
    this.#choices.set(problems, choice);
    this.#builtIn.delete(problems);
  }

  #accepted(value: unknown): Extract<ReadTable, { readonly device: TunedDevice }> | null {
    const table = readTable(value);
    if ("reason" in table) {
      this.#notes.push(`a table of tuning was ignored: ${table.reason}`);
      return null;
    }
    if (sameDevice(table.device, this.device)) return table;
    const reason = `it is of ${deviceWords(table.device)}, and this is ${deviceWords(this.device)}`;
    this.#notes.push(`a table of tuning was ignored: ${reason}`);
    return null;
  }

  #note(choices: number, from: string): void {
    this.#notes.push(`${count(choices)} ${from}`);
  }
}

function count(choices: number): string {
  return `${choices} ${choices === 1 ? "choice of kernels" : "choices of kernels"}`;
}
