import { type Profile, profiles, style } from "@heed/conformance";
import { offered } from "./backends.js";
import type { PageQuery } from "./query.js";

/** What a profile is about, to choose by. */
const about: Readonly<Record<Profile, string>> = {
  core: "the least that a backend must get right",
  decode: "few queries against a cache",
  masks: "every way to hide keys",
  numerics: "other dtypes, and extreme numbers",
  pairs: "every pair of features",
  laws: "what holds between calls",
  behaviour: "plans, order, disposal, wrong calls",
};

/** The page before anything has run. */
export function form({ backends, profile, id }: PageQuery): string {
  const boxes = offered.map(
    ({ name, lacking }) =>
      `<label><input type="checkbox" name="backend" value="${name}"${backends.includes(name) ? " checked" : ""}> ${name}${lacking ? ` <small>(${lacking})</small>` : ""}</label>`,
  );
  const choices = profiles.map(
    (name) =>
      `<option value="${name}"${name === profile ? " selected" : ""}>${name}: ${about[name]}</option>`,
  );
  return `<style>${style}${formStyle}</style>
<main>
<h1>Does attention work on this device?</h1>
<p>Each case is a call whose result is known. It runs here, in this browser; nothing is sent anywhere.</p>
<form>
<fieldset><legend>Backends</legend>${boxes.join(" ")}</fieldset>
<p${id === undefined ? " hidden" : ""}>The case <code id="one"></code>. <a href="?">All cases</a></p>
<p${id === undefined ? "" : " hidden"}><label>Cases <select name="profile"><option value="">all of them, which takes minutes</option>${choices.join("")}</select></label></p>
<p${id === undefined ? "" : " hidden"}><label>with a name that contains <input type="search" name="filter"></label></p>
<p class="actions"><button type="submit">Run</button> <a class="button" hidden download="heed-conformance.json">Download the report as JSON</a></p>
</form>
<progress hidden value="0" max="1" aria-label="cases done"></progress>
<p id="now"></p>
<p id="status" role="status"></p>
<pre id="failures" tabindex="0"></pre>
</main>
<div id="report"></div>`;
}

const formStyle = `
progress { width: 100%; accent-color: var(--good); }
fieldset { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; border: 1px solid var(--line); }
fieldset label { padding: 0.3rem 0; }
#now { min-height: 1.45em; overflow-wrap: anywhere; }
`;
