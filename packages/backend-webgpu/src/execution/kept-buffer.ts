import { tensorUsage } from "@heed/gpu-memory";
import type { DeviceCommands } from "./device-commands.js";

/**
 * A call's large data on the device: written when it is another than last time, and then into the same buffer, if
 * that is large enough.
 */
export class KeptBuffer {
  readonly #device: GPUDevice;
  readonly #commands: DeviceCommands | null;
  #buffer: GPUBuffer | null = null;
  #written: Uint32Array | null = null;

  /** @param commands that read the buffer, if a caller does not submit them itself */
  constructor(device: GPUDevice, commands: DeviceCommands | null = null) {
    this.#device = device;
    this.#commands = commands;
  }

  /** Whether this is what the buffer holds. */
  holds(words: Uint32Array): boolean {
    return this.#written === words;
  }

  /** The buffer with these words, for all commands from now on. */
  place(words: Uint32Array): GPUBuffer {
    // Bytes written now are there for all later submissions.
    if (this.#buffer !== null && this.#written !== words) this.#commands?.submit();
    if (this.#buffer === null || this.#buffer.size < words.byteLength) {
      // Submitted work keeps what it uses.
      this.#buffer?.destroy();
      this.#written = null;
      this.#buffer = this.#device.createBuffer({
        label: "heed programs",
        size: Math.ceil(words.byteLength / 256) * 256,
        usage: tensorUsage,
      });
    }
    if (this.#written !== words) {
      this.#device.queue.writeBuffer(this.#buffer, 0, words as Uint32Array<ArrayBuffer>);
      this.#written = words;
    }
    return this.#buffer;
  }

  dispose(): void {
    if (this.#buffer !== null) this.#commands?.submit();
    this.#buffer?.destroy();
    this.#buffer = null;
    this.#written = null;
  }
}
