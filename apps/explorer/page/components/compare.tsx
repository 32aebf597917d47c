import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { matrixOf } from "../drawing/matrix.js";
import { meanDistance, meanEntropy } from "../measure/measures.js";
import { change, secondSentence, state } from "../state/page-state.js";
import type { State } from "../state/state.js";
import type { LayerData, Sentence } from "../worker/protocol.js";
import { HeadOfLayers } from "./head-choice.js";
import { HeatMap, useCellSide } from "./heat-map.js";

/** The weights of the chosen head minus those of the other one, in the chosen head's place. */
export function headDifference(
  { layers, pieces }: Sentence,
  { layer, head, otherLayer, otherHead }: State,
): Float32Array {
  const area = pieces.length ** 2;
  const own = (layers[layer] as LayerData).weights;
  const other = (layers[otherLayer] as LayerData).weights;
  const difference = new Float32Array(own.length);
  for (let i = 0; i < area; i++) {
    const at = head * area + i;
    difference[at] = (own[at] as number) - (other[otherHead * area + i] as number);
  }
  return difference;
}

/** Chooses the head that is compared with. */
export function OtherHead(): JSX.Element {
  const { otherLayer, otherHead } = state.value;
  return (
    <HeadOfLayers
      label="Compared with"
      id="other-head"
      layers={2}
      layer={otherLayer}
      head={otherHead}
      onChoose={(layer, head) => change({ otherLayer: layer, otherHead: head })}
    />
  );
}

/** The same head on another sentence. */
export function SecondSentence({ first }: { readonly first: Sentence }): JSX.Element {
  const { layer, head, second } = state.value;
  const typed = useSignal(second);
  const result = secondSentence.value;
  return (
    <section class="panel" aria-labelledby="second-title">
      <h2 id="second-title">The same head on another sentence</h2>
      <form
        class="sentence-form"
        onSubmit={(event) => {
          event.preventDefault();
          change({ second: typed.value.trim() });
        }}
      >
        <label for="second">Sentence to compare with</label>
        <div class="row">
          <input
            id="second"
            type="text"
            maxLength={1000}
            autocomplete="off"
            value={typed.value}
            placeholder="The robot picked up the wrench because it was told to"
            onInput={({ currentTarget }) => {
              typed.value = currentTarget.value;
            }}
          />
          <button type="submit">Compare</button>
        </div>
      </form>
      {second !== "" && result && (
        <Beside first={first} second={result} layer={layer} head={head} />
      )}
    </section>
  );
}

interface BesideProps {
  readonly first: Sentence;
  readonly second: Sentence;
  readonly layer: number;
  readonly head: number;
}

function Beside({ first, second, layer, head }: BesideProps): JSX.Element {
  const size = second.pieces.length;
  const cell = useCellSide(size, 14, 40);
  const matrix = matrixOf((second.layers[layer] as LayerData).weights, head, size, "weights");
  return (
    <>
      <p id="beside">
        In the first sentence this head spreads its weights over {measured(first, layer, head)}; in
        this one over {measured(second, layer, head)}.
      </p>
      <HeatMap
        matrix={matrix}
        pieces={second.pieces}
        title={`weights of layer ${layer + 1}, head ${head + 1} on the second sentence`}
        cell={cell}
        cellId="second-cell"
      />
    </>
  );
}

function measured({ layers, pieces }: Sentence, layer: number, head: number): string {
  const size = pieces.length;
  const { weights } = layers[layer] as LayerData;
  const own = weights.subarray(head * size * size, (head + 1) * size * size);
  return `${meanEntropy(own, size).toFixed(1)} of ${Math.log2(size).toFixed(1)} bits, ${meanDistance(own, size).toFixed(1)} pieces away`;
}
