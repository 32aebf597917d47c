import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Matrix } from "../drawing/matrix.js";
import { problem, state } from "../state/page-state.js";
import { StripCache, stripRows, stripsInView } from "../state/strips.js";
import { compute } from "../worker/client.js";
import type { LongText } from "../worker/protocol.js";
import { Choice } from "./choice.js";
import { HeadChoice } from "./head-choice.js";
import { HeatMap } from "./heat-map.js";

/** Strips that are kept: twice as many as the largest frame shows at the smallest cell. */
const kept = 24;
const zooms = [1, 2, 4, 8, 16, 24];

/** The weights of a long text, of which only the rows on screen are computed. */
export function Long({ text }: { text: LongText }): JSX.Element {
  const { head, backend } = state.value;
  const cell = useSignal(2);
  const arrived = useSignal(0);
  const size = text.pieces.length;
  const strips = useMemo(
    () => new Strips(4 * kept * stripRows * size, () => arrived.value++),
    [text, head],
  );
  // Read, so that a strip that has come is drawn.
  arrived.value;
  const matrix: Matrix = {
    ...{ rows: size, columns: size, quantity: "weights", most: 0.05 },
    row: (i) => {
      const strip = strips.cache.get(String(Math.floor(i / stripRows)));
      const start = (i % stripRows) * size;
      return strip?.subarray(start, start + size);
    },
  };
  return (
    <section class="panel" aria-labelledby="long">
      <div class="panel-head">
        <h2 id="long">
          {size.toLocaleString("en")} × {size.toLocaleString("en")} weights
        </h2>
        <div class="settings">
          <HeadChoice layers={1} />
          <Choice
            label="Zoom"
            value={cell.value}
            options={zooms.map((side) => [side, `${side} px a cell`])}
            onChoose={(side) => {
              cell.value = side;
            }}
          />
        </div>
      </div>
      <p class="quiet">
        The first layer on made-up sentences, far past the 128 pieces that it was trained for.
        Strips of {stripRows} queries are computed as they come on screen, and {kept} of them are
        kept; all weights of this head would be {((4 * size * size) / 2 ** 20).toLocaleString("en")}{" "}
        MiB. Colours end at a weight of 5%.
      </p>
      <HeatMap
        matrix={matrix}
        pieces={text.pieces}
        title={`weights of layer 1, head ${head + 1}`}
        cell={cell.value}
        onView={(_, scrolled, height) =>
          strips.want(stripsInView(scrolled, height, cell.value, size), (strip) =>
            compute("rows", backend, size, head, strip * stripRows),
          )
        }
      />
    </section>
  );
}

/** Strips that are there or on their way. One is computed at a time, the topmost on screen first. */
class Strips {
  readonly cache: StripCache;
  readonly #onArrival: () => void;
  #wanted: readonly number[] = [];
  #busy = false;

  constructor(cacheBytes: number, onArrival: () => void) {
    this.cache = new StripCache(cacheBytes);
    this.#onArrival = onArrival;
  }

  want(strips: readonly number[], load: (strip: number) => Promise<Float32Array>): void {
    this.#wanted = strips;
    if (!this.#busy) void this.#next(load);
  }

  async #next(load: (strip: number) => Promise<Float32Array>): Promise<void> {
    this.#busy = true;
    try {
      for (;;) {
        const strip = this.#wanted.find((each) => this.cache.get(String(each)) === undefined);
        if (strip === undefined) return;
        this.cache.set(String(strip), await load(strip));
        this.#onArrival();
      }
    } catch (error) {
      this.#wanted = [];
      problem.value = error instanceof Error ? error.message : String(error);
    } finally {
      this.#busy = false;
    }
  }
}
