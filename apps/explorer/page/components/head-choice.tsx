import type { JSX } from "preact";
import { change, state } from "../state/page-state.js";
import { Choice } from "./choice.js";

const headsOfLayer = 4;

interface HeadOfLayersProps {
  readonly label: string;
  readonly id: string;
  readonly class?: string;
  readonly layers: number;
  readonly layer: number;
  readonly head: number;
  readonly onChoose: (layer: number, head: number) => void;
}

/** Chooses one of the heads of all layers. */
export function HeadOfLayers(props: HeadOfLayersProps): JSX.Element {
  const { layers, layer, head, onChoose, ...others } = props;
  const heads = Array.from({ length: headsOfLayer * layers }, (_, at) => {
    const [l, h] = [Math.floor(at / headsOfLayer), at % headsOfLayer];
    return [`${l}.${h}`, `layer ${l + 1}, head ${h + 1}`] as const;
  });
  return (
    <Choice
      {...others}
      value={`${layer}.${head}`}
      options={heads}
      onChoose={(chosen) => {
        const [l, h] = chosen.split(".").map(Number) as [number, number];
        onChoose(l, h);
      }}
    />
  );
}

/** Chooses a layer and one of its heads. */
export function HeadChoice({ layers = 2 }: { layers?: number }): JSX.Element {
  const { layer, head } = state.value;
  return (
    <HeadOfLayers
      label="Head"
      id="head"
      class="head-choice"
      layers={layers}
      layer={Math.min(layer, layers - 1)}
      head={head}
      onChoose={(layer, head) => change({ layer, head })}
    />
  );
}
