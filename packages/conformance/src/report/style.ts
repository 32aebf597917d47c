/** Of the HTML report, in light and dark. */
export const style = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; --line: #8884; --good: #2a8a4a; --bad: #c8372d; --meh: #b07a10; }
body { margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
article { border-left: 4px solid var(--line); padding: 0.1rem 0.8rem; margin: 0.6rem 0; }
article.good { border-color: var(--good); }
article.bad { border-color: var(--bad); }
h3 { font-size: 1rem; margin: 0.3rem 0; }
p { margin: 0.3rem 0; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--line); padding: 0.15rem 0.7rem; text-align: left; }
thead th { position: sticky; top: 0; background: Canvas; }
#cases th { font-weight: normal; overflow-wrap: anywhere; }
td a { color: inherit; text-decoration: none; }
.pass { color: var(--good); }
.fail { color: var(--bad); font-weight: bold; }
.known-failure, .partly { color: var(--meh); }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; }
svg { max-width: 100%; height: auto; }
svg text { font-size: 10px; fill: currentColor; }
rect.within { fill: var(--good); }
rect.over { fill: var(--bad); }
.limit { stroke: currentColor; stroke-dasharray: 3 3; }
pre { overflow-x: auto; }
input[type="search"] { font: inherit; width: min(30rem, 100%); margin-bottom: 0.5rem; }
`;
