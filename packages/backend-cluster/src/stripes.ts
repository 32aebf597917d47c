import type { StripeSizes } from "./message/requests.js";

/**
 * How the rows of a tensor are dealt out to parts: page after page to one part after another, as cards are dealt,
 * so that parts have about as many rows of a cache however far it is filled. Rows keep their order within a part.
 */
export class Stripes implements StripeSizes {
  readonly length: number;
  readonly pageSize: number;
  readonly parts: number;

  /** @param sizes length ≥ 0, pageSize ≥ 1, parts ≥ 1 */
  constructor({ length, pageSize, parts }: StripeSizes) {
    this.length = length;
    this.pageSize = pageSize;
    this.parts = parts;
  }

  /** Rows of a part among the first `end` rows of the tensor. */
  rowsBefore(part: number, end: number): number {
    const { pageSize, parts } = this;
    const whole = Math.floor(end / pageSize);
    const own = Math.floor((whole - part + parts - 1) / parts);
    return own * pageSize + (whole % parts === part ? end % pageSize : 0);
  }

  /** Rows of a part. */
  rowsOf(part: number): number {
    return this.rowsBefore(part, this.length);
  }

  /** Part of a row. */
  partOf(row: number): number {
    return Math.floor(row / this.pageSize) % this.parts;
  }

  /** Number of a row within its part. */
  ownRow(row: number): number {
    const { pageSize, parts } = this;
    return Math.floor(row / pageSize / parts) * pageSize + (row % pageSize);
  }

  /** Calls back with each run of neighbouring rows of a part: first row of the tensor, first row of the part, length. */
  forEachRun(part: number, visit: (row: number, own: number, length: number) => void): void {
    const { length, pageSize, parts } = this;
    let own = 0;
    for (let row = part * pageSize; row < length; row += parts * pageSize) {
      const run = Math.min(pageSize, length - row);
      visit(row, own, run);
      own += run;
    }
  }

  /** The rows of the tensor that a part has, in order. */
  indices(part: number): Int32Array {
    const found = new Int32Array(this.rowsOf(part));
    this.forEachRun(part, (row, own, length) => {
      for (let i = 0; i < length; i++) found[own + i] = row + i;
    });
    return found;
  }
}

/** Stripes of a tensor over so many workers. */
export function stripesFor(length: number, workers: number, mostPageSize: number): Stripes {
  const pageSize = Math.max(1, Math.min(mostPageSize, Math.ceil(length / workers)));
  const parts = Math.max(1, Math.min(workers, Math.ceil(length / pageSize)));
  return new Stripes({ length, pageSize, parts });
}
