/** Members of `GPUBufferUsage` and `GPUMapMode`, which Node does not have as globals. */
export const usage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
} as const;

export const mapRead = 0x1;

/** What tensors and workspaces are used for. */
export const tensorUsage: number = usage.storage | usage.copySource | usage.copyTarget;

/** What results are read through. */
export const stagingUsage: number = usage.mapRead | usage.copyTarget;
