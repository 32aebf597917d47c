import type { JSX } from "preact";
import { largest } from "../measure/measures.js";
import { queryRow } from "../measure/query-row.js";
import { shown } from "../model/tokens.js";
import { change, state, token } from "../state/page-state.js";
import { steps } from "../state/state.js";
import type { LayerData, Sentence } from "../worker/protocol.js";
import { HeadChoice } from "./head-choice.js";
import { StepTable } from "./step-table.js";
import { Words } from "./words.js";

const number = (x: number): string => x.toFixed(2).replace("-", "−");

/** One sentence, one head, one word: how its attention comes about. */
export function Explain({ sentence }: { sentence: Sentence }): JSX.Element {
  const { layer, head, step, causal } = state.value;
  const i = token.value;
  const { pieces } = sentence;
  const data = sentence.layers[layer] as LayerData;
  const row = queryRow(data, head, i, causal);
  const most = largest(row.weights, 1)[0] as number;
  const [asking, asked] = [shown(pieces[i] ?? ""), shown(pieces[most] ?? "")];
  const score = row.scores[most] as number;
  const texts: readonly (readonly [string, string])[] = [
    [
      "Query and key",
      `Each word is three vectors of ${data.headDim} numbers. The query of “${asking}” says what it looks for; the key of each word says what it has. Blue is above zero, orange below.`,
    ],
    [
      "Dot product",
      `Query and key are multiplied element by element and summed: large where both agree. “${asking}” with “${asked}” gives ${number(score / row.scale)}.`,
    ],
    [
      "Scale",
      `Sums of ${data.headDim} products are large, so each is divided by √${data.headDim} = ${number(1 / row.scale)}. ${number(score / row.scale)} becomes ${number(score)}.`,
    ],
    [
      "Mask",
      causal
        ? `Words after “${asking}” are hidden, as in a model that writes text from left to right. This encoder was trained without that.`
        : "Nothing is hidden: this encoder lets every word see the whole sentence. Switch the causal mask on to hide what comes later.",
    ],
    [
      "Softmax",
      `Exponentials of the scores, divided by their sum, are weights: positive, and together 1. “${asking}” attends most to “${asked}”, with ${(100 * (row.weights[most] as number)).toFixed(1)}%.`,
    ],
    [
      "Weighted sum of values",
      `The value of each word, times its weight, is summed: the output of “${asking}”, which holds something of all words that it attends to.`,
    ],
  ];
  const [title, text] = texts[step - 1] as readonly [string, string];
  return (
    <>
      <section class="panel" aria-labelledby="attends">
        <div class="panel-head">
          <h2 id="attends">What “{asking}” attends to</h2>
          <HeadChoice />
        </div>
        <Words pieces={pieces} token={i} weights={row.weights} />
        <p class="quiet">
          Point at a word, or move with the arrow keys. Its weights over the sentence sum to 100%.
        </p>
      </section>
      <section class="panel" aria-labelledby="step">
        <ol class="steps side-by-side" aria-label="Steps">
          {texts.map(([name], n) => (
            <li key={name}>
              <button
                type="button"
                aria-current={step === n + 1 ? "step" : undefined}
                onClick={() => change({ step: n + 1 })}
              >
                <span class="step-number">{n + 1}</span> {name}
              </button>
            </li>
          ))}
        </ol>
        <div class="step-text" aria-live="polite">
          <h2 id="step">
            {step}. {title}
          </h2>
          <p>{text}</p>
        </div>
        <StepTable pieces={pieces} token={i} row={row} step={step} />
        <div class="row">
          <button type="button" disabled={step === 1} onClick={() => change({ step: step - 1 })}>
            Back
          </button>
          <button
            type="button"
            disabled={step === steps}
            onClick={() => change({ step: step + 1 })}
          >
            Next step
          </button>
        </div>
      </section>
    </>
  );
}
