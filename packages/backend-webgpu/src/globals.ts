/**
 * Names of WebGPU's own types, for applications whose TypeScript lacks them: before release 6 the DOM library
 * has no WebGPU, and an application in Node may have no DOM library at all. Where the types exist, from
 * either or from `@webgpu/types`, these empty declarations merge with them and change nothing.
 *
 * @module
 */

declare global {
  interface GPUDevice {}
  interface GPUBuffer {}
  interface GPUBindGroupLayout {}
  interface GPUCommandEncoder {}
  interface GPUComputePassEncoder {}
  interface GPUComputePipeline {}
}

export {};
