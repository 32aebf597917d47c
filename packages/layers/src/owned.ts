import { type DeviceTensor, isDeviceTensor, type Tensor } from "@heed/core";

/** Tensors that a call makes on its way, which go with it. */
export class Owned {
  readonly #tensors: DeviceTensor[] = [];

  /** @returns the tensor, which is disposed with the others if it is on a device */
  keep<T extends Tensor>(t: T): T {
    if (isDeviceTensor(t)) this.#tensors.push(t);
    return t;
  }

  /** Lets go of a tensor, which somebody else disposes. */
  release(t: Tensor): void {
    const at = this.#tensors.indexOf(t as DeviceTensor);
    if (at >= 0) this.#tensors.splice(at, 1);
  }

  dispose(): void {
    for (const t of this.#tensors) t.dispose();
    this.#tensors.length = 0;
  }
}
