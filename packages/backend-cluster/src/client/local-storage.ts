import {
  contiguous,
  type DeviceStorage,
  type DeviceTensor,
  deviceTensor,
  type HostTensor,
  type TensorLayout,
  tensor,
} from "@heed/core";

/**
 * A tensor of the backend that is in this process: results of attention, and whatever is no keys or values. It is small
 * beside those, and would be sent to and fro for nothing.
 */
export class LocalStorage implements DeviceStorage {
  readonly backend = "cluster";
  #whole: HostTensor | null;

  /** @param whole row-major; belongs to the storage from here on */
  constructor(whole: HostTensor) {
    this.#whole = whole;
  }

  /** A view on the storage's own memory. */
  view({ dtype, shape, strides, offset }: TensorLayout): HostTensor {
    const { data } = this.#whole as HostTensor;
    return tensor(data, [...shape], { dtype, strides, offset });
  }

  async read(layout: TensorLayout): Promise<HostTensor> {
    return copyOf(this.view(layout));
  }

  release(): void {
    this.#whole = null;
  }
}

/** A row-major copy of a tensor. */
export function copyOf(t: HostTensor): HostTensor {
  const dense = contiguous(t) as HostTensor;
  const count = dense.shape.reduce((product, size) => product * size, 1);
  const data = dense.data.slice(dense.offset, dense.offset + count);
  return tensor(data, [...dense.shape], { dtype: dense.dtype });
}

/** @param whole row-major; belongs to the tensor from here on */
export function localTensor(whole: HostTensor): DeviceTensor {
  return deviceTensor(new LocalStorage(whole), { dtype: whole.dtype, shape: [...whole.shape] });
}
