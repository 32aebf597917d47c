import type { Commands } from "@heed/gpu-memory";

/** The commands of a backend's calls on its device. */
export type DeviceCommands = Commands<GPUBuffer, GPUDevice>;
