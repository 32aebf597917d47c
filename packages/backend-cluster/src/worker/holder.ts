import {
  bytesPerElement,
  type DeviceMemory,
  elementCount,
  isDeviceTensor,
  type Tensor,
  tensor,
  zeros,
} from "@heed/core";
import { RefusedError } from "../message/answers.js";
import { MalformedMessageError } from "../message/errors.js";
import { statuses } from "../message/layout.js";
import { typedArray } from "../message/reader.js";
import {
  type CreateRequest,
  type FillRequest,
  firstVersion,
  type PartName,
  type PartVersion,
} from "../message/requests.js";
import { Stripes } from "../stripes.js";

/** A part of a tensor in the memory of this worker. */
export interface HeldPart {
  readonly request: CreateRequest;
  readonly stripes: Stripes;
  readonly bytes: number;
  /** 0 while it is being filled. */
  version: number;
  tensor: Tensor | null;
  /** Its bytes while it is being filled. */
  filling: Uint8Array<ArrayBuffer> | null;
  /** The filling that becomes its tensor; repeated requests wait for the same one. */
  sealing: Promise<void> | null;
}

/** The parts that a worker holds, in the memory of its backend or in that of JavaScript. */
export class Holder {
  readonly memoryBytes: number;
  readonly #memory: DeviceMemory | null;
  readonly #parts = new Map<string, HeldPart>();
  #used = 0;

  /** @param memory of the backend; null for one that computes on host tensors */
  constructor(memoryBytes: number, memory: DeviceMemory | null) {
    this.memoryBytes = memoryBytes;
    this.#memory = memory;
  }

  get usedBytes(): number {
    return this.#used;
  }

  get count(): number {
    return this.#parts.size;
  }

  /** Names of all parts that are not being filled. */
  get sealed(): readonly (PartName & { readonly version: number })[] {
    return [...this.#parts.values()]
      .filter(({ version }) => version > 0)
      .map(({ request, version }) => ({ ...request.name, version }));
  }

  /**
   * Makes a part. A request that is repeated changes nothing.
   *
   * @throws MalformedMessageError for sizes that do not fit together, RefusedError if there is too little memory
   */
  create(request: CreateRequest): void {
    const { name, dtype, shape, filled } = request;
    const key = keyOf(name);
    const held = this.#parts.get(key);
    if (held !== undefined) {
      if (sameMaking(held.request, request)) return;
      throw new MalformedMessageError("the part exists with other sizes");
    }
    const stripes = checkStripes(request);
    if (shape.length < 3 || shape[2] !== stripes.rowsOf(name.part)) {
      throw new MalformedMessageError("the shape of a part does not follow from its stripes");
    }
    // Twice while it is being filled: in JavaScript's memory, and in the backend's.
    const bytes = elementCount(shape) * bytesPerElement(dtype);
    if (this.#used + bytes > this.memoryBytes) {
      throw new RefusedError(
        statuses.outOfMemory,
        `a part takes ${bytes} bytes, and ${this.#used} of ${this.memoryBytes} are in use`,
      );
    }
    const part: HeldPart = {
      request,
      stripes,
      bytes,
      version: filled ? 0 : firstVersion,
      tensor: filled ? null : (this.#memory?.allocate(dtype, shape) ?? zeros(dtype, shape)),
      filling: filled ? new Uint8Array(bytes) : null,
      sealing: null,
    };
    this.#parts.set(key, part);
    this.#used += bytes;
  }

  /** Writes bytes of a part that is being filled; of one that is not, nothing: a repeated request comes late. */
  fill({ name, start, bytes }: FillRequest): void {
    const part = this.#named(name);
    if (part.filling === null) return;
    if (start + bytes.byteLength > part.bytes) {
      throw new MalformedMessageError("bytes lie beyond the end of their part");
    }
    part.filling.set(bytes, start);
  }

  /** Makes the tensor of a part that was filled. */
  async seal(name: PartName, version: number = firstVersion): Promise<void> {
    const part = this.#named(name);
    if (part.filling !== null) part.sealing ??= this.#makeTensor(part, part.filling, version);
    await part.sealing;
  }

  async #makeTensor(
    part: HeldPart,
    filling: Uint8Array<ArrayBuffer>,
    version: number,
  ): Promise<void> {
    const { dtype, shape, name } = part.request;
    const host = tensor(typedArray(dtype, filling.buffer), shape, { dtype });
    const made = (await this.#memory?.upload(host)) ?? host;
    if (this.#parts.get(keyOf(name)) !== part) {
      // It was released meanwhile.
      if (isDeviceTensor(made)) made.dispose();
      return;
    }
    part.tensor = made;
    part.filling = null;
    part.version = version;
  }

  /** @throws RefusedError if there is no such part, or in no such version */
  find(wanted: PartVersion): HeldPart & { readonly tensor: Tensor } {
    const part = this.#named(wanted);
    const { version, tensor: held } = part;
    if (held === null || version < wanted.least || version > wanted.most) {
      throw new RefusedError(
        statuses.otherVersion,
        `the part has version ${version}, and ${wanted.least} to ${wanted.most} is wanted`,
      );
    }
    return part as HeldPart & { readonly tensor: Tensor };
  }

  /** @throws RefusedError if there is no such part */
  named(name: PartName): HeldPart {
    return this.#named(name);
  }

  release(name: PartName): void {
    const key = keyOf(name);
    const part = this.#parts.get(key);
    if (part === undefined) return;
    this.#parts.delete(key);
    this.#used -= part.bytes;
    if (isDeviceTensor(part.tensor)) part.tensor.dispose();
  }

  /** Releases all parts of sessions of which this says yes. */
  releaseSessions(over: (session: string) => boolean): void {
    for (const { request } of [...this.#parts.values()]) {
      if (over(request.name.session)) this.release(request.name);
    }
  }

  #named(name: PartName): HeldPart {
    const part = this.#parts.get(keyOf(name));
    if (part === undefined) {
      throw new RefusedError(statuses.unknownPart, "the worker has no such part");
    }
    return part;
  }
}

function keyOf({ session, tensor: number, part }: PartName): string {
  return `${session}/${number}/${part}`;
}

function sameMaking(a: CreateRequest, b: CreateRequest): boolean {
  return (
    a.dtype === b.dtype &&
    a.filled === b.filled &&
    a.shape.join() === b.shape.join() &&
    Object.values(a.stripes).join() === Object.values(b.stripes).join()
  );
}

function checkStripes({ name, stripes }: CreateRequest): Stripes {
  const { pageSize, parts } = stripes;
  if (pageSize < 1 || parts < 1 || name.part >= parts) {
    throw new MalformedMessageError("stripes need a page size and as many parts as there are");
  }
  return new Stripes(stripes);
}
