import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { css } from "../drawing/colours.js";
import { colourOf, type Matrix } from "../drawing/matrix.js";
import {
  type NamedScores,
  scoreHeads,
  scoreLength,
  scorePrograms,
  scoresOf,
  scoreTile,
} from "../measure/scores.js";
import { change, dark, state } from "../state/page-state.js";
import { Choice } from "./choice.js";
import { format, HeatMap, useCellSide } from "./heat-map.js";

/** Score programs, as maps of what they make of scores. */
export function Scores(): JSX.Element {
  const { scores: name, scoreHead } = state.value;
  const chosen =
    scorePrograms.find((one) => one.name === name) ?? (scorePrograms[0] as NamedScores);
  const head = chosen.byHead ? scoreHead : 0;
  const scores = useMemo(() => scoresOf(chosen, head), [chosen, head]);
  const cell = useCellSide(scoreLength, 4, 9);
  const [pieces, keyPieces] = useMemo(() => {
    const named = (token: (at: number) => string) =>
      Array.from({ length: scoreLength }, (_, at) => token(at));
    return [named(chosen.token), named(chosen.key ?? chosen.token)] as const;
  }, [chosen]);
  const [all, skipped] = scores.counts;
  const title = chosen.byHead ? `${chosen.title}, head ${head + 1}` : chosen.title;
  const number = (value: number) => format(value, "scores");
  return (
    <section class="panel" aria-labelledby="scores">
      <div class="panel-head">
        <h2 id="scores">{title}</h2>
        <div class="settings">
          <Choice
            label="Score program"
            id="scores-name"
            value={chosen.name}
            options={scorePrograms.map(({ name, title }) => [name, title])}
            onChoose={(scores) => change({ scores })}
          />
          {chosen.byHead && (
            <Choice
              label="Head"
              id="scores-head"
              value={head}
              options={Array.from({ length: scoreHeads }, (_, h) => [h, `${h + 1}`])}
              onChoose={(scoreHead) => change({ scoreHead })}
            />
          )}
        </div>
      </div>
      <p>{chosen.about}</p>
      <p id="score-range">
        {chosen.key ? "Scores become" : "Scores of 0 become"} {number(scores.range[0])} to{" "}
        {number(scores.range[1])}.{" "}
        {scores.hidden > 0 && (
          <>
            {scores.hidden.toLocaleString("en")} of {(scoreLength ** 2).toLocaleString("en")} are
            hidden, and{" "}
            <strong>
              {skipped} of {all} tiles of {scoreTile} × {scoreTile} are skipped
            </strong>
            .
          </>
        )}
      </p>
      <HeatMap
        matrix={scores}
        pieces={pieces}
        keyPieces={keyPieces}
        tiles={scores.tiles}
        title={`Scores after ${title}`}
        cell={cell}
        cellId="score-cell"
      />
      <Legend matrix={scores} hidden={scores.hidden > 0} />
      <p class="quiet">
        {scoreLength} queries from top to bottom, as many keys from left to right. Each number is
        that of the program, as <code>@heed/core/program</code> defines it and every backend
        compiles it.
      </p>
    </section>
  );
}

/** Colours of a map, and the numbers that they stand for. */
function Legend({ matrix, hidden }: { matrix: Matrix; hidden: boolean }): JSX.Element {
  const colour = colourOf(matrix, dark.value);
  const { most } = matrix;
  const marks = [-1, -0.5, 0, 0.5, 1].map((share) => css(colour(share * most)));
  const number = (value: number) => format(value, "scores");
  return (
    <ul class="legend side-by-side">
      <li class="scale">
        <span aria-hidden="true">{number(-most)}</span>
        <span
          class="scale-bar"
          role="img"
          aria-label={`Orange is below 0, down to ${number(-most)}; blue is above, up to ${number(most)}`}
          style={{ background: `linear-gradient(to right, ${marks.join(", ")})` }}
        />
        <span aria-hidden="true">{number(most)}</span>
      </li>
      {hidden && (
        <>
          <li>
            <span class="swatch hidden-score" /> hidden by the mask
          </li>
          <li>
            <span class="swatch empty" /> a tile that is skipped
          </li>
        </>
      )}
    </ul>
  );
}
