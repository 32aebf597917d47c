import { type CaseResult, formatFailure, selectCases } from "@heed/conformance";
import { CopyButton, Scroll } from "@heed/page";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { SuiteRun } from "../suite-run.js";

/** One case: what is asked, and what each backend made of it, with the explanation of what is wrong. */
export function CaseView({ suite }: { suite: SuiteRun }): JSX.Element | null {
  const shown = suite.shown.value;
  const section = useRef<HTMLElement>(null);
  const id = shown?.id ?? null;
  useEffect(() => {
    if (id === null) return;
    section.current?.scrollIntoView({ block: "nearest" });
    section.current?.focus({ preventScroll: true });
  }, [id]);
  if (shown === null) return null;
  const found = selectCases().find((one) => one.id === shown.id);
  const spec = found && "spec" in found ? JSON.stringify({ id: found.id, spec: found.spec }) : null;
  return (
    <section class="panel case-view" aria-labelledby="case" tabIndex={-1} ref={section}>
      <div class="panel-head">
        <h2 id="case">
          <code>{shown.id}</code>
        </h2>
        <button
          type="button"
          onClick={() => {
            suite.chosen.value = null;
          }}
        >
          Close
        </button>
      </div>
      {spec !== null && (
        <>
          <Scroll label="The problem">
            <pre>{spec}</pre>
          </Scroll>
          <CopyButton label="Copy for --case" text={spec} />
        </>
      )}
      {shown.results.map(({ backend, result }) => (
        <article key={backend} class={`verdict-of ${result.outcome}`}>
          <h3>
            {backend}: {words[result.outcome]}
          </h3>
          <Told result={result} />
          <p>
            <a href={`?${new URLSearchParams({ backend, case: shown.id })}`}>Run it again</a>
          </p>
        </article>
      ))}
    </section>
  );
}

const words: Readonly<Record<CaseResult["outcome"], string>> = {
  pass: "passes",
  fail: "fails",
  "known-failure": "fails, as its package says",
  unsupported: "refuses",
};

function Told({ result }: { result: CaseResult }): JSX.Element {
  // The first line is the id and the outcome, which stand above.
  const lines = formatFailure(result).split("\n").slice(1);
  const text = lines.map((line) => line.trim()).join("\n");
  if (text === "") return <p class="quiet">Nothing to say beside that.</p>;
  return (
    <Scroll label={`What ${result.id} found`}>
      <pre>{text}</pre>
    </Scroll>
  );
}
