import { type AttentionInputs, type HostTensor, reshape, tensor, toFloat64 } from "@heed/core";
import { area, bigBird, swin, swinBias } from "@heed/core/masks";
import type { SafeTensors } from "@heed/core/safetensors";

interface SparseAttributes {
  readonly causal?: string;
  readonly scale: number;
  readonly block_q: number;
  readonly block_k: number;
  readonly H: number;
  readonly W: number;
  readonly window: number;
  readonly shift: number;
  readonly area: number;
  readonly global_blocks: number;
}

/** The call of a recording of block-sparse attention, BigBird, Swin's windows or YOLO12's areas. */
export function sparseInputs({ tensors, metadata }: SafeTensors): AttentionInputs<HostTensor> {
  const attributes = JSON.parse(metadata.attributes as string) as SparseAttributes;
  const query = tensors["in.q"] as HostTensor;
  return {
    query,
    key: tensors["in.k"] as HostTensor,
    value: tensors["in.v"] as HostTensor,
    scale: attributes.scale,
    ...sparsity(metadata.op as string, attributes, tensors, query.shape[2] as number),
    returns: { logSumExp: true },
  };
}

function sparsity(
  op: string,
  attributes: SparseAttributes,
  tensors: SafeTensors["tensors"],
  length: number,
): Pick<AttentionInputs, "maskMod" | "scoreMod" | "blockMask" | "causal"> {
  const { block_q: queryBlock, block_k: keyBlock, H: height, W: width, shift } = attributes;
  const visited = tensors["in.block_mask"] as HostTensor;
  switch (op) {
    case "BlockSparse": {
      const shape = [1, ...(visited.shape.length === 2 ? [1] : []), ...visited.shape];
      const blockMask = { mask: reshape(visited, shape), queryBlock, keyBlock };
      return { blockMask, causal: attributes.causal !== "none" };
    }
    case "BigBird": {
      const globalBlocks = attributes.global_blocks;
      const random = randomBlocks(visited, globalBlocks);
      return { maskMod: bigBird({ length, block: keyBlock, globalBlocks, random }) };
    }
    case "SwinWindowAttention": {
      const image = { height, width, window: attributes.window, shift };
      const bias = tensors["in.rel_bias_table"] as HostTensor;
      return { maskMod: swin(image), scoreMod: swinBias(bias, image) };
    }
    default:
      return { maskMod: area({ length, areas: attributes.area }) };
  }
}

/**
 * The blocks of a recorded mask `[heads, blocks, blocks]` that are neither global nor in a window of 3: of each row
 * as many as the largest has, its own block again where there are fewer.
 */
function randomBlocks(mask: HostTensor, globalBlocks: number): HostTensor {
  const [heads, blocks] = mask.shape as [number, number];
  const seen = toFloat64(mask);
  const picks = Array.from({ length: heads * blocks }, (_, row) => {
    const q = row % blocks;
    const others = Array.from({ length: blocks }, (_, k) => k).filter(
      (k) => k >= globalBlocks && k < blocks - globalBlocks && Math.abs(q - k) > 1,
    );
    // Global rows see everything anyway.
    const isGlobal = q < globalBlocks || q >= blocks - globalBlocks;
    return isGlobal ? [] : others.filter((k) => seen[row * blocks + k] === 1);
  });
  const count = Math.max(1, ...picks.map(({ length }) => length));
  const table = picks.flatMap((own, row) =>
    Array.from({ length: count }, (_, n) => own[n] ?? row % blocks),
  );
  return tensor(Int32Array.from(table), [heads, blocks, count]);
}

