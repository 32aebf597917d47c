// `node apps/docs/tools/check.js [--base /path/]`: checks the site that was built: every link; what axe finds on the main
// pages, in light and in dark; that no page scrolls sideways on a phone; and the search. Needs a Chromium.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import sirv from "sirv";
import { checkLinks } from "./check-links.js";

const dist = resolve(import.meta.dirname, "../dist");
const { values } = parseArgs({ options: { base: { type: "string", default: "/" } } });

/** Pages that axe looks at: one of each kind. typedoc's own pages are as typedoc makes them. */
const mainPages = [
  ...[
    "index",
    "attention",
    "choosing-a-backend",
    "semantics",
    "coming-from",
    "recipes/own-device",
    "devices",
  ],
  ...["architecture", "reference", "bench/index", "conformance/index", "explorer/index"],
];

const problems = [];
const { links, problems: broken } = checkLinks(dist, values.base);
problems.push(...broken);
console.log(`${links} links, ${broken.length} lead nowhere`);

const files = sirv(dist);
const server = createServer((request, response) => {
  const notFound = () => response.writeHead(404).end();
  if (!request.url.startsWith(values.base)) return notFound();
  request.url = `/${request.url.slice(values.base.length)}`;
  return files(request, response, notFound);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://localhost:${server.address().port}${values.base}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  await lookWithAxe();
  await lookOnPhone();
  await search("softcap");
} finally {
  await browser.close();
  server.close();
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

async function lookWithAxe() {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  let found = 0;
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ colorScheme, reducedMotion: "reduce" });
    const page = await context.newPage();
    page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
    for (const name of mainPages) {
      await page.goto(`${origin}${name}.html`, { waitUntil: "networkidle" });
      // The theme names its switch once its scripts run.
      await page.waitForFunction(() =>
        [...document.querySelectorAll(".VPSwitchAppearance")].every((button) => button.title),
      );
      await page.evaluate(axe);
      const { violations } = await page.evaluate((options) => globalThis.axe.run(options), {
        resultTypes: ["violations"],
        // Rules that do not depend on colours were checked in the light scheme.
        ...(colorScheme === "dark" && { runOnly: ["color-contrast", "link-in-text-block"] }),
      });
      found += violations.length;
      for (const { id, help, nodes } of violations) {
        const places = nodes.slice(0, 3).map(({ target, failureSummary }) => {
          const [, why] = failureSummary.split("\n");
          return `  ${target.join(" ")}: ${why.trim()}`;
        });
        problems.push([`${name}, ${colorScheme}: ${help} (${id})`, ...places].join("\n"));
      }
    }
    await context.close();
  }
  console.log(`axe on ${mainPages.length} pages in light and dark: ${found} violations`);
}

/** The site's own search finds a word, and leads to a page that has it. */
async function search(word) {
  const page = await browser.newPage();
  await page.goto(`${origin}index.html`, { waitUntil: "networkidle" });
  await page.click(".DocSearch-Button");
  await page.fill("#localsearch-input", word);
  const results = page.locator(".VPLocalSearchBox .result");
  try {
    await results.first().waitFor({ timeout: 20_000 });
    await results.first().click();
    await page.waitForFunction(
      (text) => document.querySelector("main")?.textContent.includes(text),
      word,
    );
    console.log(`the search finds ${word}`);
  } catch (error) {
    problems.push(`the search does not find ${word}: ${error.message}`);
  }
  await page.close();
}

async function lookOnPhone() {
  const width = 360;
  // Text is laid out without scripts, and faster; pages of tables and forms need theirs.
  const context = await browser.newContext({
    viewport: { width, height: 740 },
    javaScriptEnabled: false,
  });
  const scripted = await browser.newContext({ viewport: { width, height: 740 } });
  const names = readdirSync(dist, { recursive: true })
    .filter((name) => name.endsWith(".html") && !/^api\//.test(name))
    .concat("api/index.html", "api/interfaces/_heed_core.AttentionInputs.html");
  let wide = 0;
  const [page, app] = [await context.newPage(), await scripted.newPage()];
  for (const name of names) {
    const isApp = /^(?:bench|conformance|explorer)\//.test(name);
    const at = isApp ? app : page;
    await at.goto(origin + relative(".", join(".", name)), {
      waitUntil: isApp ? "networkidle" : "load",
    });
    const actual = await at.evaluate(() => document.documentElement.scrollWidth);
    if (actual <= width) continue;
    wide += 1;
    problems.push(`${name}: ${actual} px wide on a screen of ${width} px`);
  }
  console.log(`${names.length} pages at ${width} px: ${wide} scroll sideways`);
}
