import type { JSX } from "preact";
import { change, state } from "../state/page-state.js";

/** Chooses a layer and one of its heads. */
export function HeadChoice({ layers = 2 }: { layers?: number }): JSX.Element {
  const { layer, head } = state.value;
  const value = `${Math.min(layer, layers - 1)}.${head}`;
  return (
    <label class="head-choice">
      Head{" "}
      <select
        id="head"
        value={value}
        onChange={({ currentTarget }) => {
          const [layer, head] = currentTarget.value.split(".").map(Number);
          change({ layer: layer as number, head: head as number });
        }}
      >
        {Array.from({ length: 4 * layers }, (_, i) => [Math.floor(i / 4), i % 4] as const).map(
          ([layer, head]) => (
            <option key={`${layer}.${head}`} value={`${layer}.${head}`}>
              layer {layer + 1}, head {head + 1}
            </option>
          ),
        )}
      </select>
    </label>
  );
}
