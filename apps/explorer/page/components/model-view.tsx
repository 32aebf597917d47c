import { Scroll } from "@heed/page";
import type { Site } from "@heed/splice";
import type { JSX } from "preact";
import type { Matrix } from "../drawing/matrix.js";
import { largest } from "../measure/measures.js";
import { patchGrids } from "../measure/patches.js";
import { change, foundModel, siteWeights, state } from "../state/page-state.js";
import type { FoundModel, SiteWeights } from "../worker/protocol.js";
import { Choice } from "./choice.js";
import { HeatMap, useCellSide } from "./heat-map.js";
import { Patches } from "./picture.js";

/** The attention of an ONNX model: its sites, and the weights of one head. */
export function ModelView(): JSX.Element {
  const found = foundModel.value;
  if (state.value.model === "" || !found) return <Invitation />;
  const result = siteWeights.value;
  return (
    <>
      {result && <Weights result={result} found={found} />}
      <Sites found={found} />
    </>
  );
}

function Invitation(): JSX.Element {
  return (
    <section class="panel" aria-labelledby="invitation">
      <h2 id="invitation">The attention of your model</h2>
      <p>
        Open an ONNX file. Its attention is found in the graph as exporters write it, run by Heed on
        the backend of your choice, and everything else by onnxruntime; then you see the weights of
        any layer and head. Where a model takes pictures, you see which patches each patch attends
        to.
      </p>
    </section>
  );
}

function Weights({ result, found }: { result: SiteWeights; found: FoundModel }): JSX.Element {
  const { rows, columns, weights, heads, head, site, picture, read, reason } = result;
  const query = Math.min(state.value.query, rows - 1);
  const row = (i: number): Float32Array => weights.subarray(i * columns, (i + 1) * columns);
  const most = weights.reduce((a, b) => Math.max(a, b), 0);
  const matrix: Matrix = { rows, columns, quantity: "weights", most, row };
  const name = found.sites[site]?.name ?? "";
  const word = picture ? "patch" : "token";
  const cell = useCellSide(Math.max(rows, columns), 2, 26);
  const pieces = Array.from({ length: Math.max(rows, columns) }, (_, i) => `${word} ${i + 1}`);
  const title = `weights of ${name}, head ${head + 1}`;
  const attended = largest(row(query), Math.min(3, columns)).map(
    (key) => `${word} ${key + 1} (${(100 * (row(query)[key] as number)).toFixed(1)}%)`,
  );
  return (
    <section class="panel" aria-labelledby="site">
      <div class="panel-head">
        <h2 id="site">
          {name}, head {head + 1}
        </h2>
        <div class="settings">
          <Choice
            label="Head"
            id="site-head"
            value={head}
            options={Array.from({ length: heads }, (_, i) => [i, `${i + 1} of ${heads}`])}
            onChoose={(siteHead) => change({ siteHead })}
          />
          <label>
            Query
            <input
              id="query"
              type="number"
              min={1}
              max={rows}
              value={query + 1}
              onInput={({ currentTarget }) =>
                change({ query: Math.max(0, Math.min(rows, currentTarget.valueAsNumber || 1) - 1) })
              }
            />
          </label>
        </div>
      </div>
      {reason !== undefined && <p class="warning">Run by onnxruntime: {reason}</p>}
      {read !== null && (
        <p>
          The model reads: <strong id="read">{read || "nothing"}</strong>
        </p>
      )}
      {picture && rows === columns && (
        <PatchMap picture={picture} result={result} query={query} weights={row(query)} />
      )}
      <p id="attended">
        The query of {word} {query + 1} attends most to {attended.join(", ")}.
      </p>
      <HeatMap
        matrix={matrix}
        pieces={pieces}
        title={title}
        cell={cell}
        onChoose={(chosen) => change({ query: chosen })}
      />
    </section>
  );
}

interface PatchMapProps {
  readonly picture: NonNullable<SiteWeights["picture"]>;
  readonly result: SiteWeights;
  readonly query: number;
  readonly weights: Float32Array;
}

function PatchMap({ picture, result, query, weights }: PatchMapProps): JSX.Element | null {
  const grids = patchGrids(result.rows, picture.width, picture.height);
  // Rows alone tell a grid in the address: of those with as many rows, the likeliest.
  const choices = grids.filter(
    (grid, at) => grids.findIndex(({ rows }) => rows === grid.rows) === at,
  );
  const usual = result.read === null ? grids[0] : grids.find(({ rows }) => rows === 1);
  const grid = grids.find(({ rows }) => rows === state.value.grid) ?? usual;
  if (!grid) return null;
  return (
    <figure class="picture">
      <Patches
        {...{ picture, grid, weights, query }}
        onChoose={(chosen) => change({ query: chosen })}
      />
      <figcaption class="settings">
        <span class="quiet">Bright is where the outlined patch attends to. Press another one.</span>
        <Choice
          label="Patches"
          value={grid.rows}
          options={choices.map(({ rows, columns }) => [rows, `${columns} × ${rows}`])}
          onChoose={(grid) => change({ grid })}
        />
      </figcaption>
    </figure>
  );
}

function Sites({ found }: { found: FoundModel }): JSX.Element {
  const { sites, notUnderstood } = found;
  const chosen = siteWeights.value?.site;
  return (
    <section class="panel" aria-labelledby="sites">
      <h2 id="sites">
        {sites.length} {sites.length === 1 ? "attention" : "attentions"} in this model
      </h2>
      <Scroll label="The model's attention">
        <table class="results sites">
          <thead>
            <tr>
              <th scope="col">Site</th>
              <th scope="col">Written as</th>
              <th scope="col" class="right">
                Heads
              </th>
              <th scope="col" class="right">
                Head size
              </th>
              <th scope="col">Mask</th>
              <th scope="col">Kind</th>
            </tr>
          </thead>
          <tbody>
            {sites.map((site, at) => (
              <tr key={site.name}>
                <th scope="row">
                  <button
                    type="button"
                    aria-pressed={at === chosen}
                    onClick={() => change({ site: at, siteHead: 0, query: 0 })}
                  >
                    {site.name}
                  </button>
                </th>
                <td>{[site.operator, ...site.spelling].join("; ")}</td>
                <td class="right">{headsOf(site)}</td>
                <td class="right">{site.headDim ?? "?"}</td>
                <td>{[...site.mask, ...(site.causal ? ["causal"] : [])].join(", ") || "none"}</td>
                <td>{site.kind ?? "?"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {notUnderstood.length > 0 && (
        <details class="more">
          <summary>
            Left to onnxruntime, though it looks like attention: {notUnderstood.length}
          </summary>
          <ul>
            {notUnderstood.map(({ name, operator, reason }) => (
              <li key={name}>
                {operator} <strong>{name}</strong>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function headsOf({ heads, kvHeads }: Site): string {
  if (heads === null) return "?";
  return kvHeads === null || kvHeads === heads ? `${heads}` : `${heads} on ${kvHeads}`;
}
