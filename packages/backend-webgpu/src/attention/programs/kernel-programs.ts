import type { AttentionProblem } from "@heed/core";
import type { ProgramForm, ProgramNode } from "@heed/core/program";
import { compiledRules } from "../params.js";

/** The programs that are part of a kernel's text. */
export interface KernelPrograms {
  readonly mask: ProgramForm<"mask"> | null;
  readonly score: ProgramForm<"score"> | null;
  /** Whether pairs are looked up in the block mask: not where the mask program has made it. */
  readonly blocks: boolean;
  /**
   * Bits of `compiledRules` for those that the problem has. Kernels with programs are compiled for one problem's programs
   * anyway, and a device that takes no branches would compute a rule that is only switched off.
   */
  readonly rules: number;
}

/** Name of the binding that has tables, blocks and map of a call's programs. */
export const programsBinding = "programs";

/**
 * The programs of a problem; null without any.
 *
 * @param blocks whether a block mask beside a mask program has to be looked at. Default: the program has made it
 */
export function programsOf(problem: AttentionProblem, blocks = false): KernelPrograms | null {
  const { maskMod, scoreMod, blockMask } = problem;
  if (maskMod === null && scoreMod === null && blockMask === null) return null;
  return {
    mask: maskMod,
    score: scoreMod,
    blocks: blockMask !== null && (blocks || !maskMod),
    rules: compiledRules(problem),
  };
}

/** Whether tiles of keys may be left out, so that kernels read a map of them. */
export function hasMap({ mask, blocks }: KernelPrograms): boolean {
  return mask !== null || blocks;
}

/** Whether a kernel reads the buffer that has tables, blocks and map. */
export function readsBuffer(programs: KernelPrograms | null): boolean {
  return programs !== null && (hasMap(programs) || (programs.score?.tables.length ?? 0) > 0);
}

/** Parts of a kernel's name: equal ones mean equal programs. */
export function programVariants(programs: KernelPrograms | null): (string | false)[] {
  if (programs === null) return [];
  const { mask, score, blocks, rules } = programs;
  return [
    mask !== null && `mask-${hashOf(mask.key)}`,
    score !== null && `score-${hashOf(score.key)}`,
    blocks && "blocks",
    rules !== 0 && `rules-${rules}`,
  ];
}

const hashes = new Map<string, string>();
const mostHashes = 256;

/** Sixteen hexadecimal digits that stand for a text. */
function hashOf(text: string): string {
  let hash = hashes.get(text);
  if (hash === undefined) {
    // Two sums of 32 bits with different factors: murmur3's and FNV's.
    let a = 0x9e3779b9;
    let b = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      a = Math.imul(a ^ code, 0x85ebca6b);
      a ^= a >>> 13;
      b = Math.imul(b ^ code, 0x01000193);
    }
    const digits = (sum: number): string => (sum >>> 0).toString(16).padStart(8, "0");
    hash = digits(a) + digits(b);
    if (hashes.size === mostHashes) hashes.clear();
    hashes.set(text, hash);
  }
  return hash;
}

/** A program's words in a call's rules: scalars, and constants that WGSL cannot write. */
export interface ProgramWords {
  /** Index of a scalar's word. */
  scalar(kind: "mask" | "score", slot: number): number;
  /** Index of the word of a constant that is infinite or no number. */
  special(value: number): number;
  /** Index of the first table's word, which says where it starts; further tables follow. */
  readonly tables: number;
  readonly count: number;
  /** Values of the constants, in the order of their words, which are the first. */
  readonly specials: readonly number[];
}

const forms = ({ mask, score }: KernelPrograms): ProgramForm[] =>
  [mask, score].filter((form): form is ProgramForm<"mask"> | ProgramForm<"score"> => form !== null);

function isSpecial(node: ProgramNode): node is ProgramNode & { op: "constant"; value: number } {
  return node.op === "constant" && node.type === "float32" && !Number.isFinite(node.value);
}

export function programWords(programs: KernelPrograms): ProgramWords {
  const { mask, score } = programs;
  const found = forms(programs).flatMap(({ nodes }) => nodes.filter(isSpecial));
  const specials = [...new Set(found.map(({ value }) => value))];
  const maskScalars = mask?.scalars.length ?? 0;
  const scoreScalars = score?.scalars.length ?? 0;
  const scalars = specials.length;
  const tables = scalars + maskScalars + scoreScalars;
  return {
    scalar: (kind, slot) => scalars + (kind === "mask" ? slot : maskScalars + slot),
    special: (value) => specials.findIndex((one) => Object.is(one, value)),
    tables,
    count: tables + tableCount(programs),
    specials,
  };
}

/** Tables of both programs; those of the mask come first. */
export function tableCount({ mask, score }: KernelPrograms): number {
  return (mask?.tables.length ?? 0) + (score?.tables.length ?? 0);
}

/** Number of a program's table among those of both. */
export function tableNumber(
  { mask }: KernelPrograms,
  kind: "mask" | "score",
  slot: number,
): number {
  return kind === "mask" ? slot : (mask?.tables.length ?? 0) + slot;
}

/** Vectors of four words of a call's rules: the words, and then the sizes of each table. */
export function programVectors(programs: KernelPrograms): number {
  return Math.ceil(programWords(programs).count / 4) + tableCount(programs);
}
