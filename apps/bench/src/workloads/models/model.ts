import { generated, type PartialShape } from "../generated.js";
import type { Workload } from "../workload.js";

/** The properties that all cases of one model share. */
export interface Model {
  /** Begins the ids of its cases. */
  readonly id: string;
  readonly title: string;
  /** Its published config. */
  readonly source: string;
}

/** One case of a model. */
export interface ModelCase {
  /** Ends its id. */
  readonly id: string | number;
  /** Ends its title. */
  readonly title: string;
  readonly shape: PartialShape;
}

export function modelCases(model: Model, cases: readonly ModelCase[]): Workload[] {
  return cases.map(({ id, title, shape }) =>
    generated({
      id: `${model.id}-${id}`,
      title: `${model.title}, ${title}`,
      source: model.source,
      suite: "models",
      shape,
    }),
  );
}
