import type { BackendInfo } from "@heed/core";
import type { Candidate } from "@heed/core/select";
import { version } from "../version.js";
import type { LearningStore } from "./store.js";

/** The time of a class of problems on one backend. */
export interface Remembered {
  /** Median milliseconds of a call. */
  readonly milliseconds: number;
  /** Milliseconds since 1970 when it was last measured. */
  readonly at: number;
}

/** Classes of problems that are remembered; the ones measured longest ago are forgotten first. */
const mostClasses = 256;

/** Longest text that is read back, in characters. */
const longestText = 2 ** 20;

/** Longest that a store is waited for, in milliseconds. */
const longestWait = 100;

/** Milliseconds between the first change and the writing of it. */
const writeAfter = 3000;

const format = "heed-learned";

/**
 * Names a backend in the state that its times hold for: version, runtime, device, features, threads, engine.
 */
export function fingerprint({ name }: Candidate, info: BackendInfo): string {
  const { runtime, device, features, threads } = info;
  return [name, runtime, device, features.join("+"), `${threads} threads`, engine(), version].join(
    "; ",
  );
}

let knownEngine: string | null = null;

function engine(): string {
  const { process, navigator } = globalThis as {
    readonly process?: { readonly version?: string; readonly versions?: { readonly v8?: string } };
    readonly navigator?: { readonly userAgent?: string };
  };
  knownEngine ??= process?.versions?.v8 ?? navigator?.userAgent ?? process?.version ?? "unknown";
  return knownEngine;
}

/** Longest note, in characters, and most notes. */
const longestNote = 65_536;
const mostNotes = 16;

/** Times and notes that outlive the process, in a store that may be slow, full, damaged or missing. */
export class Memory {
  readonly #store: LearningStore | null;
  /** By class of problem and by fingerprint. */
  #classes = new Map<string, Map<string, Remembered>>();
  /** Texts that backends keep, by their names, and the names of those that changed since they were read. */
  #notes = new Map<string, string>();
  readonly #changedNotes = new Set<string>();
  #changed = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(store: LearningStore | null) {
    this.#store = store;
  }

  /** Reads the store; waits no longer than 100 ms, and never rejects. */
  async restore(): Promise<void> {
    ({ classes: this.#classes, notes: this.#notes } = await this.#read());
  }

  async #read(): Promise<Parsed> {
    try {
      const text = this.#store && (await within(longestWait, this.#store.read()));
      if (typeof text === "string" && text.length <= longestText) return parse(text);
    } catch {
      // Whatever cannot be read is learned again.
    }
    return { classes: new Map(), notes: new Map() };
  }

  get(kind: string, by: string): Remembered | undefined {
    return this.#classes.get(kind)?.get(by);
  }

  /** Whether a backend of a name was the fastest of those remembered of a class. */
  wasFastest(kind: string, name: string): boolean {
    let fastest: string | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const [by, { milliseconds }] of this.#classes.get(kind) ?? []) {
      if (milliseconds < least) [fastest, least] = [by, milliseconds];
    }
    return fastest?.startsWith(`${name}; `) ?? false;
  }

  set(kind: string, by: string, remembered: Remembered): void {
    const times = this.#classes.get(kind) ?? new Map();
    times.set(by, remembered);
    putLast(this.#classes, kind, times);
    this.#change();
  }

  /** A place in the store for one text of a backend's own. */
  note(name: string): LearningStore {
    return {
      read: () => this.#notes.get(name),
      write: (text) => {
        if (text.length > longestNote) return;
        this.#notes.set(name, text);
        this.#changedNotes.add(name);
        this.#change();
      },
    };
  }

  #change(): void {
    this.#changed = true;
    if (this.#store === null || this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.flush(), writeAfter);
    // No process lives on for this.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /**
   * Writes what changed, beside what other pages, workers or processes wrote meanwhile; waits no longer than 100 ms for
   * the store to read and as long for it to write, and never rejects.
   */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#store === null || !this.#changed) return;
    this.#changed = false;
    this.#merge(await this.#read());
    const classes = Object.fromEntries(
      [...this.#classes].map(([kind, times]) => [kind, Object.fromEntries(times)]),
    );
    try {
      const text = JSON.stringify({
        format,
        version: 1,
        classes,
        notes: Object.fromEntries(this.#notes),
      });
      await within(longestWait, this.#store.write(text));
    } catch {
      // A store that is full keeps what it has.
    }
  }

  /** Takes over what is newer than what is known here, or not known here. */
  #merge({ classes, notes }: Parsed): void {
    for (const [kind, times] of this.#classes) {
      const merged = classes.get(kind) ?? new Map<string, Remembered>();
      for (const [by, own] of times) {
        if (!((merged.get(by)?.at ?? 0) > own.at)) merged.set(by, own);
      }
      putLast(classes, kind, merged);
    }
    this.#classes = classes;
    for (const [name, text] of notes) {
      if (!this.#changedNotes.has(name)) this.#notes.set(name, text);
    }
  }
}

/** The order of a Map is that of insertion: the class that was put first is forgotten first. */
function putLast<T>(classes: Map<string, T>, kind: string, times: T): void {
  classes.delete(kind);
  classes.set(kind, times);
  if (classes.size > mostClasses) classes.delete(classes.keys().next().value as string);
}

async function within<T>(milliseconds: number, value: T | Promise<T>): Promise<T | undefined> {
  if (!(value instanceof Promise)) return value;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Parsed {
  readonly classes: Map<string, Map<string, Remembered>>;
  readonly notes: Map<string, string>;
}

/** @returns what a text holds; nothing at all of a text that is not as it was written */
function parse(text: string): Parsed {
  const whole = JSON.parse(text) as Record<string, unknown>;
  const { format: its, version: number, classes, notes } = whole;
  const nothing = { classes: new Map(), notes: new Map() };
  if (its !== format || number !== 1 || typeof classes !== "object") return nothing;
  return { classes: parseClasses(classes as object), notes: parseNotes(notes) };
}

/** Stores of earlier versions have no notes. */
function parseNotes(notes: unknown): Map<string, string> {
  if (typeof notes !== "object" || notes === null) return new Map();
  const texts = Object.entries(notes).filter(
    ([, text]) => typeof text === "string" && text.length <= longestNote,
  );
  return new Map(texts.slice(0, mostNotes) as [string, string][]);
}

function parseClasses(classes: object): Map<string, Map<string, Remembered>> {
  const latest = Date.now() + 86_400_000;
  const parsed = new Map<string, Map<string, Remembered>>();
  for (const [kind, times] of Object.entries(classes)) {
    const of = new Map<string, Remembered>();
    for (const [by, time] of Object.entries(times as object)) {
      const { milliseconds, at } = time as Partial<Remembered>;
      const usable = Number.isFinite(milliseconds) && Number.isFinite(at);
      if (!usable || !((milliseconds as number) > 0) || (at as number) > latest) return new Map();
      of.set(by, { milliseconds: milliseconds as number, at: at as number });
    }
    parsed.set(kind, of);
  }
  return parsed;
}
