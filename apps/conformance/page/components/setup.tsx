import { aboutProfile, type Profile, profiles, selectCases } from "@heed/conformance";
import { Checks } from "@heed/page";
import type { JSX } from "preact";
import { type Offered, offered } from "../../src/backends.js";
import type { SuiteRun } from "../suite-run.js";

/** The backends and the cases to check. */
export function Setup({ suite }: { suite: SuiteRun }): JSX.Element {
  const { query } = suite;
  const count = selectCases(suite.options).length;
  return (
    <div class="setup">
      <Choice suite={suite} legend="Backends" among={offered.filter(({ isPeer }) => !isPeer)} />
      <Choice
        suite={suite}
        legend="Other people's: onnxruntime's MultiHeadAttention and GroupQueryAttention"
        among={offered.filter(({ isPeer }) => isPeer)}
      />
      {query.id === undefined ? (
        <div class="settings">
          <label>
            Cases
            <select
              name="profile"
              value={suite.profile.value}
              onChange={(event) => {
                suite.profile.value = event.currentTarget.value as Profile | "";
              }}
            >
              <option value="">all of them, which takes minutes</option>
              {profiles.map((name) => (
                <option key={name} value={name}>
                  {name}: {aboutProfile(name)}
                </option>
              ))}
            </select>
          </label>
          <label>
            with a name that contains
            <input
              type="text"
              name="filter"
              value={suite.filter.value}
              spellcheck={false}
              autocapitalize="off"
              onInput={(event) => {
                suite.filter.value = event.currentTarget.value;
              }}
            />
          </label>
        </div>
      ) : (
        <p>
          The case <code>{query.id}</code>. <a href="?">All cases</a>
        </p>
      )}
      <p class="quiet">
        {count} case{count === 1 ? "" : "s"} × {suite.backends.value.length} backend
        {suite.backends.value.length === 1 ? "" : "s"}
      </p>
    </div>
  );
}

/** Some of what can be checked. */
function Choice(props: {
  readonly suite: SuiteRun;
  readonly legend: string;
  readonly among: readonly Offered[];
}): JSX.Element {
  const { suite, legend, among } = props;
  return (
    <Checks
      legend={legend}
      names={among.map(({ name }) => name)}
      chosen={suite.backends.value}
      lacking={(name) => among.find((one) => one.name === name)?.lacking ?? null}
      onChange={(backends) => {
        suite.backends.value = backends;
      }}
    />
  );
}
