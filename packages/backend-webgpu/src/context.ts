import { DisposedError } from "@heed/core";
import { Commands, GpuMemory } from "@heed/gpu-memory";
import type { Preferences } from "./attention/choose.js";
import { DeviceTuning } from "./attention/tuning/device-tuning.js";
import type { Capabilities } from "./capabilities.js";
import type { OpenDevice } from "./device.js";
import type { DeviceCommands } from "./execution/device-commands.js";
import { Pipelines } from "./execution/pipelines.js";
import { backendName } from "./name.js";

/** A loaded backend's device, with everything that operations need of it. */
export class Context {
  readonly open: OpenDevice;
  readonly device: GPUDevice;
  readonly capabilities: Capabilities;
  readonly preferences: Preferences;
  readonly memory: GpuMemory<GPUBuffer>;
  readonly commands: DeviceCommands;
  readonly pipelines: Pipelines;
  /** Choices that were measured to be fast on the device. */
  readonly tuning: DeviceTuning;
  #disposed = false;

  constructor(
    open: OpenDevice,
    preferences: Preferences = {},
    tuning: DeviceTuning = new DeviceTuning(open.identity),
  ) {
    const { device, capabilities, owned } = open;
    this.open = open;
    this.device = device;
    this.capabilities = capabilities;
    this.preferences = preferences;
    this.tuning = tuning;
    // Tensors handed out keep the device, also after `dispose`.
    this.memory = new GpuMemory<GPUBuffer>(backendName, device, {
      records: true,
      unused: () => {
        if (owned) device.destroy();
      },
    });
    this.commands = Commands.of<GPUBuffer, GPUDevice>(device, backendName);
    this.pipelines = Pipelines.of(device);
  }

  /** @throws DisposedError, DeviceLostError */
  checkAlive(): void {
    if (this.#disposed) throw new DisposedError("backend");
    this.memory.faults.checkPresent();
  }

  dispose(): void {
    this.#disposed = true;
    this.memory.dispose();
  }
}
