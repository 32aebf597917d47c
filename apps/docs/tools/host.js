// Pages of other makers as part of the site: the explorer, the benchmark, the conformance suite and typedoc's reference.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The bar above the page, which leads back to the site. */
const bar = `<nav class="site-bar" aria-label="Heed">
  <a href="../"><img src="./icon.svg" alt="" width="18" height="18" />Heed</a>
  <a href="../first-call.html">Guide</a>
  <a href="../reference.html">Reference</a>
  <a href="../explorer/">Explorer</a>
  <a href="../bench/">Benchmark</a>
  <a href="../conformance/">Conformance</a>
</nav>
<style>
  .site-bar { display: flex; flex-wrap: wrap; gap: 4px clamp(10px, 3vw, 20px); align-items: center; padding: 10px clamp(12px, 3vw, 32px);
    font-size: clamp(0.86rem, 3.4vw, 0.95rem);
    border-bottom: 1px solid var(--line, #d9dee7); }
  .site-bar a { display: inline-flex; gap: 8px; align-items: center; min-height: 24px; color: inherit; text-decoration: none; }
  .site-bar a:hover { text-decoration: underline; text-underline-offset: 4px; }
  .site-bar a:first-child { font-weight: 650; margin-right: auto; }
</style>
`;

/**
 * Copies a page that was built into the site, with a bar that leads back.
 *
 * @param {string} from folder with an index.html
 * @param {string} to folder of the site
 */
export function hostPage(from, to) {
  cpSync(from, to, { recursive: true, filter: (file) => !file.endsWith(".map") });
  const file = join(to, "index.html");
  const html = readFileSync(file, "utf8");
  const placed = html.replace(/<body[^>]*>\s*/, (body) => `${body}${bar}`);
  if (placed === html) throw new Error(`${from}/index.html: expected a <body>`);
  writeFileSync(file, placed);
}

/** Headers for hosts that read a file of them: without isolation there are no threads in WebAssembly. */
export const headers = `/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  X-Content-Type-Options: nosniff
`;
