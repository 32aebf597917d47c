import { CaseSearch, Checks, Chips } from "@heed/page";
import { parseSizes } from "@heed/splice/feeds";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { backendNames } from "../../src/contenders/backends.js";
import { messageOf } from "../../src/message.js";
import { type ModelRequest, sizesOf } from "../../src/model/request.js";
import { pagePeerNames } from "../../src/peers/peers.js";
import { plural } from "../../src/report/describe.js";
import { formatSeconds } from "../../src/report/format.js";
import { defaultTuneBudget, type RunRequest, workloadsOf } from "../../src/request.js";
import { customWorkload } from "../../src/workloads/generated.js";
import { selectWorkloads, suiteNames, workloads } from "../../src/workloads/select.js";
import { parseShape } from "../../src/workloads/shape.js";

interface SetupProps {
  readonly request: RunRequest;
  /** Why a backend or a peer cannot work in this browser; null where nothing is known. */
  lacking(name: string): string | null;
  onChange(change: Partial<RunRequest>): void;
}

/** The form in which cases, backends and peers to measure are chosen. */
export function Setup({ request, lacking, onChange }: SetupProps): JSX.Element {
  return (
    <div class="setup">
      <CaseChoice request={request} onChange={onChange} />
      <Checks
        legend="Backends"
        // The URL may ask for wasm@2, or onnx:wasm.
        names={[...new Set([...backendNames, ...request.backends])]}
        chosen={request.backends}
        lacking={lacking}
        onChange={(backends) => onChange({ backends })}
      />
      <details class="more" open={request.peers.length > 0}>
        <summary>Compare with other libraries</summary>
        <Checks
          legend="Peers"
          names={pagePeerNames}
          chosen={request.peers}
          lacking={lacking}
          onChange={(peers) => onChange({ peers })}
        />
        <label class="switch">
          <input
            type="checkbox"
            checked={request.timeWrong}
            onChange={(event) => onChange({ timeWrong: event.currentTarget.checked })}
          />
          time also what is wrong (it stays marked, and out of every ranking)
        </label>
      </details>
      <Settings request={request} onChange={onChange} />
    </div>
  );
}

type PartProps = Pick<SetupProps, "request" | "onChange">;

function CaseChoice({ request, onChange }: PartProps): JSX.Element {
  const suites = suiteNames.filter((name) => name !== "all");
  const single = request.cases.filter((name) => !suiteNames.includes(name));
  return (
    <>
      <Checks
        legend="Suites"
        names={suites}
        chosen={request.cases}
        describe={(name) => String(selectWorkloads([name]).length)}
        onChange={(cases) => onChange({ cases })}
      />
      <OwnShapes request={request} onChange={onChange} />
      {request.model && <ModelChoice request={request} model={request.model} onChange={onChange} />}
      <details class="more" open={single.length > 0}>
        <summary>Single cases</summary>
        <CaseSearch
          id="single-case"
          label="A case by its name"
          names={workloads.map(({ id }) => id)}
          chosen={single}
          onChange={(cases) =>
            onChange({
              cases: [...request.cases.filter((name) => suiteNames.includes(name)), ...cases],
            })
          }
        />
      </details>
    </>
  );
}

function OwnShapes({ request, onChange }: PartProps): JSX.Element {
  const text = useSignal("");
  const problem = useSignal<string | null>(null);
  const add = (event: Event) => {
    event.preventDefault();
    try {
      const workload = customWorkload(parseShape(text.value));
      if (!request.own.some(({ id }) => id === workload.id)) {
        onChange({ own: [...request.own, workload] });
      }
      text.value = "";
      problem.value = null;
    } catch (error) {
      problem.value = messageOf(error);
    }
  };
  return (
    <form class="own" onSubmit={add}>
      <label for="own-shape">A shape of your own</label>
      <div class="row">
        <input
          id="own-shape"
          type="text"
          value={text.value}
          placeholder="B1,Hq32,Hkv8,Lq1,Lk4096,D128,causal"
          aria-describedby="own-help"
          aria-invalid={problem.value !== null}
          spellcheck={false}
          autocapitalize="off"
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit">Add</button>
      </div>
      <p id="own-help" class={problem.value === null ? "quiet" : "warning"} role="status">
        {problem.value ??
          "B batch, H heads (Hq, Hkv), L length (Lq, Lk), D head size; then causal, window256, softcap50, bias, sinks"}
      </p>
      <Chips
        names={request.own.map(({ id }) => id)}
        onRemove={(id) => onChange({ own: request.own.filter((other) => other.id !== id) })}
      />
    </form>
  );
}

/** The model that was dropped or named, and the sizes of its random feeds. */
function ModelChoice({
  model,
  onChange,
}: PartProps & { readonly model: ModelRequest }): JSX.Element {
  const problem = useSignal<string | null>(null);
  const resize = (text: string) => {
    try {
      parseSizes(text);
      onChange({ model: { ...model, random: text, feeds: null } });
      problem.value = null;
    } catch (error) {
      problem.value = messageOf(error);
    }
  };
  return (
    <div class="own">
      <label for="model-sizes">
        {model.feeds === null
          ? "A model, on random feeds of these sizes"
          : "A model, on given feeds"}
      </label>
      <Chips
        names={[[model.name, ...Object.keys(model.data)].join(", ")]}
        onRemove={() => onChange({ model: null })}
      />
      <input
        id="model-sizes"
        type="text"
        value={model.feeds === null ? sizesOf(model) : ""}
        aria-describedby="model-help"
        aria-invalid={problem.value !== null}
        spellcheck={false}
        autocapitalize="off"
        onChange={(event) => resize(event.currentTarget.value)}
      />
      <p id="model-help" class={problem.value === null ? "quiet" : "warning"} role="status">
        {problem.value ??
          "sizes by the file's names for them; batch is any other first axis, length any other axis. A .npz file with an array for each input can be opened as well, and files in which the model's weights are. The model stays in this page."}
      </p>
    </div>
  );
}

const budgets: readonly (readonly [ms: number, label: string])[] = [
  [120, "quick"],
  [400, "normal"],
  [1000, "thorough"],
  [3000, "patient"],
];

function Settings({ request, onChange }: PartProps): JSX.Element {
  const most = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const other = budgets.every(([ms]) => ms !== request.budget);
  return (
    <div class="settings">
      <label>
        Inputs
        <select
          value={request.dtype}
          onChange={(event) =>
            onChange({ dtype: event.currentTarget.value as RunRequest["dtype"] })
          }
        >
          <option>float32</option>
          <option>float16</option>
          <option>float64</option>
        </select>
      </label>
      <label>
        Threads
        <input
          type="number"
          min={1}
          max={Math.max(most, request.threads)}
          value={request.threads}
          onChange={(event) =>
            onChange({ threads: Math.max(1, event.currentTarget.valueAsNumber || 1) })
          }
        />
      </label>
      <label>
        Care
        <select
          value={request.budget}
          onChange={(event) => onChange({ budget: Number(event.currentTarget.value) })}
        >
          {budgets.map(([ms, label]) => (
            <option key={ms} value={ms}>
              {label}: {ms} ms each
            </option>
          ))}
          {other && <option value={request.budget}>{request.budget} ms each</option>}
        </select>
      </label>
      <label class="switch">
        <input
          type="checkbox"
          checked={request.ceiling}
          onChange={(event) => onChange({ ceiling: event.currentTarget.checked })}
        />
        measure this machine's ceiling
      </label>
      {request.backends.includes("webgpu") && (
        <label class="switch">
          <input
            type="checkbox"
            name="tune"
            checked={request.tune !== null}
            onChange={(event) =>
              onChange({ tune: event.currentTarget.checked ? defaultTuneBudget : null })
            }
          />
          let webgpu measure which of its kernels are fastest first, for{" "}
          {(request.tune ?? defaultTuneBudget) / 1000} s a case; the report keeps what it finds
        </label>
      )}
    </div>
  );
}

/** About how long it takes: each contender's time, and as much again for checking and loading. */
export function estimate(request: RunRequest): string {
  const cases = workloadsOf(request).length;
  const contenders = request.backends.length + request.peers.length;
  if (request.model && contenders > 0 && cases === 0) {
    return `The attention of ${request.model.name} × ${plural(contenders, "contender")} and the model's own nodes`;
  }
  if (cases === 0 || contenders === 0) return "Choose a suite and a backend.";
  const tuning = request.backends.includes("webgpu") ? (request.tune ?? 0) : 0;
  const seconds = (cases * (1.5 * contenders * request.budget + tuning)) / 1000;
  return `${plural(cases, "case")} × ${plural(contenders, "contender")}: about ${formatSeconds(seconds)}`;
}
