/** CSS of the HTML report and of the suite's page, for light and dark. */
export const style = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; --line: #8885; --soft: #8882; --good: light-dark(#1d6b38, #6fce8d); --bad: light-dark(#b3261e, #ff8a80); --meh: light-dark(#7d5300, #eab54d); }
body { margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin: 1.6rem 0 0.4rem; }
h3 { font-size: 1rem; margin: 0.3rem 0; }
p { margin: 0.3rem 0; }
article { border-left: 4px solid var(--line); padding: 0.1rem 0.8rem; margin: 0.6rem 0; overflow-wrap: anywhere; }
article.good { border-color: var(--good); }
article.bad { border-color: var(--bad); }
article ul { margin: 0.3rem 0; padding-left: 1.1rem; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--line); padding: 0.15rem 0.7rem; text-align: left; }
td:first-child, th[scope="row"] { padding-left: 0; }
th[scope="row"] { font-weight: normal; }
#cases th[scope="row"] { overflow-wrap: anywhere; }
td, #support th { white-space: nowrap; }
thead :is(th, td) { position: sticky; top: 0; background: Canvas; vertical-align: bottom; }
tbody tr:hover > * { background: color-mix(in srgb, Canvas, #888 12%); }
td { font-variant-numeric: tabular-nums; }
td a { color: inherit; text-decoration-color: var(--line); }
td button { all: unset; cursor: pointer; min-width: 1.6em; padding: 0.05rem 0.2rem; text-decoration: underline dotted; text-underline-offset: 0.25em; }
:is(a, button, summary, input, select, pre, .scroll):focus-visible { outline: 2px solid var(--good); outline-offset: 1px; }
[popover] { font-weight: normal; width: fit-content; max-width: min(46rem, 90vw); max-height: 80vh; white-space: normal; padding: 0.6rem 1rem; border: 1px solid var(--line); border-radius: 0.4rem; box-shadow: 0 0.4rem 2rem #0006; }
[popover]::backdrop { background: #0003; }
.pass { color: var(--good); }
.fail { color: var(--bad); font-weight: bold; }
.known-failure, .partly { color: var(--meh); }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; max-width: 100%; }
svg { max-width: 100%; height: auto; }
svg text { font-size: 10px; fill: currentColor; }
rect.within { fill: var(--good); }
rect.over { fill: var(--bad); }
.limit { stroke: currentColor; stroke-dasharray: 3 3; }
pre { margin: 0.3rem 0; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 0.3rem 0; }
summary { overflow-wrap: anywhere; cursor: pointer; }
input[type="search"] { width: min(30rem, 100%); box-sizing: border-box; margin-bottom: 0.5rem; }
input, select, form button { font: inherit; max-width: 100%; }
.button, form button { display: inline-block; padding: 0.35rem 1rem; border: 1px solid var(--line); border-radius: 0.4rem; background: var(--soft); color: inherit; text-decoration: none; cursor: pointer; }
form button:disabled { opacity: 0.5; cursor: default; }
[hidden] { display: none; }
@media (max-width: 48rem) {
  .scroll { overflow-x: auto; }
  th, td { padding: 0.35rem 0.5rem; }
  th[scope="row"], thead td { position: sticky; left: 0; background: Canvas; }
  thead td { z-index: 1; }
  #cases th[scope="row"] { min-width: 8rem; font-size: 0.85em; }
}
`;
