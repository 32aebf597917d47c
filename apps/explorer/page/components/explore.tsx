import { Scroll } from "@heed/page";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Matrix, matrixOf, paint } from "../drawing/matrix.js";
import { meanDistance, meanEntropy } from "../measure/measures.js";
import { shown } from "../model/tokens.js";
import { change, dark, difference, state } from "../state/page-state.js";
import type { Quantity } from "../state/state.js";
import type { LayerData, Sentence } from "../worker/protocol.js";
import { Choice } from "./choice.js";
import { headDifference, OtherHead, SecondSentence } from "./compare.js";
import { format, HeatMap, useCellSide } from "./heat-map.js";

const quantities: readonly (readonly [Quantity, string])[] = [
  ["weights", "weights"],
  ["scores", "scores"],
  ["heads", "difference of two heads"],
  ["difference", "difference of two backends"],
];

/** All heads small, one large, with measures. */
export function Explore({ sentence }: { sentence: Sentence }): JSX.Element {
  const { layer, head, show, other } = state.value;
  const { pieces } = sentence;
  const size = pieces.length;
  const data = sentence.layers[layer] as LayerData;
  const compared = difference.value;
  const cell = useCellSide(size, 14, 40);
  const title = `layer ${layer + 1}, head ${head + 1}`;
  const source =
    show === "difference"
      ? compared?.weights
      : show === "heads"
        ? headDifference(sentence, state.value)
        : data[show];
  const matrix = source && matrixOf(source, head, size, show);
  return (
    <>
      <section class="panel" aria-labelledby="heads">
        <h2 id="heads">All heads</h2>
        <div class="heads">
          {sentence.layers.map((each, l) =>
            Array.from({ length: 4 }, (_, h) => (
              <Small key={`${l}.${h}`} data={each} layer={l} head={h} size={size} />
            )),
          )}
        </div>
        <p class="quiet">
          Entropy is how evenly a head spreads its weights (0 bits: one word;{" "}
          {Math.log2(size).toFixed(1)} bits: all alike). Distance is how many pieces away it looks,
          on average.
        </p>
      </section>
      <section class="panel" aria-labelledby="large">
        <div class="panel-head">
          <h2 id="large">
            Layer {layer + 1}, head {head + 1}
          </h2>
          <div class="settings">
            <Choice
              label="Show"
              value={show}
              options={quantities}
              onChoose={(show) => change({ show })}
            />
            {show === "heads" && <OtherHead />}
            {show === "difference" && (
              <Choice
                label="Compared with"
                value={other}
                options={(["webgpu", "wasm", "js"] as const).map((name) => [name, name])}
                onChoose={(other) => change({ other })}
              />
            )}
          </div>
        </div>
        {show === "difference" && compared && (
          <p>
            Weights differ by at most {(matrix?.most ?? 0).toExponential(1)} in this head. Compared
            with float64, the layer's largest error is {compared.budgets[0].toFixed(2)} budgets on{" "}
            {compared.backend} and {compared.budgets[1].toFixed(2)} on {compared.other}: the
            conformance suite allows 1.
          </p>
        )}
        {show === "heads" && matrix && (
          <p>
            Blue is where this head attends more than layer {state.value.otherLayer + 1}, head{" "}
            {state.value.otherHead + 1}, and orange where it attends less; by at most{" "}
            {(100 * matrix.most).toFixed(0)}%.
          </p>
        )}
        {matrix && (
          <>
            <HeatMap matrix={matrix} pieces={pieces} title={`${show} of ${title}`} cell={cell} />
            <Numbers matrix={matrix} pieces={pieces} title={`${show} of ${title}`} />
          </>
        )}
      </section>
      <SecondSentence first={sentence} />
    </>
  );
}

interface SmallProps {
  readonly data: LayerData;
  readonly layer: number;
  readonly head: number;
  readonly size: number;
}

/** One head as a small picture that chooses it. */
function Small({ data, layer, head, size }: SmallProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isDark = dark.value;
  useLayoutEffect(() => {
    const part = { firstRow: 0, rows: size, firstColumn: 0, columns: size };
    const matrix = matrixOf(data.weights, head, size, "weights");
    canvas.current?.getContext("2d")?.putImageData(paint(matrix, part, isDark), 0, 0);
  }, [data, head, size, isDark]);
  const own = data.weights.subarray(head * size * size, (head + 1) * size * size);
  const chosen = state.value.layer === layer && state.value.head === head;
  return (
    <button
      type="button"
      class="small"
      aria-pressed={chosen}
      onClick={() => change({ layer, head })}
    >
      <canvas ref={canvas} width={size} height={size} />
      <strong>
        Layer {layer + 1}, head {head + 1}
      </strong>
      <span class="quiet">
        {meanEntropy(own, size).toFixed(1)} bits · distance {meanDistance(own, size).toFixed(1)}
      </span>
    </button>
  );
}

interface NumbersProps {
  readonly matrix: Matrix;
  readonly pieces: readonly string[];
  readonly title: string;
}

/** The map as a table, made when it is opened. */
function Numbers({ matrix, pieces, title }: NumbersProps): JSX.Element {
  const open = useSignal(false);
  return (
    <details
      class="more"
      onToggle={({ currentTarget }) => {
        open.value = currentTarget.open;
      }}
    >
      <summary>As a table</summary>
      {open.value && (
        <Scroll label={`${title}, as a table`}>
          <table class="results">
            <thead>
              <tr>
                <th scope="col">Query</th>
                {pieces.map((piece, j) => (
                  <th key={j} scope="col" class="right">
                    {shown(piece)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {pieces.map((piece, i) => (
                <tr key={i}>
                  <th scope="row">{shown(piece)}</th>
                  {[...(matrix.row(i) ?? [])].map((x, j) => (
                    <td key={j} class="right">
                      {format(x, matrix.quantity)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </details>
  );
}
