import type { Fragment } from "../../wgsl/emit.js";
import { hasMap } from "../programs/kernel-programs.js";
import { mapFragment } from "../programs/map.js";
import { gatheredGridFragment } from "./gathered.js";
import type { GridReads } from "./reads.js";

/**
 * Which part of the problem a workgroup computes. Workgroups are numbered row by row, slab by slab,
 * since no dimension may have more than 65,535 of them; the last row can be incomplete. What a
 * workgroup reads here is uniform, so that it may leave before barriers.
 */
export function gridFragment({ gathered, programs }: GridReads): Fragment {
  const mapped = !!programs && hasMap(programs);
  const grid = gathered ? gatheredGridFragment(mapped) : numberedGridFragment;
  return mapped ? { wgsl: grid.wgsl, needs: [...(grid.needs ?? []), mapFragment(gathered)] } : grid;
}

const numberedGridFragment: Fragment = {
  wgsl: `struct Block {
  exists: bool,
  /** Indices in the whole problem. */
  batch: u32,
  head: u32,
  split: u32,
  slice: u32,
  tile: u32,
}
fn workgroup_block(id: vec3<u32>, counts: vec3<u32>) -> Block {
  let number = params.firstWorkgroup + id.x + counts.x * (id.y + counts.y * id.z);
  var rest = number;
  let tile = rest % params.rowTiles;
  rest /= params.rowTiles;
  let slice = rest % params.slices;
  rest /= params.slices;
  let split = rest % params.splits;
  rest /= params.splits;
  let head = params.firstHead + rest % params.heads;
  let batch = params.firstBatch + rest / params.heads;
  return Block(number < params.workgroups, batch, head, split, slice, tile);
}`,
};
