// Follows every link of the site that was built: files, and the anchors in them.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * @param {string} dist folder of the site
 * @param {string} base path under which it is hosted
 * @returns {{ links: number, problems: string[] }} links: how many were followed; problems: those that lead nowhere
 */
export function checkLinks(dist, base) {
  const files = readdirSync(dist, { recursive: true })
    .filter((name) => name.endsWith(".html"))
    .map((name) => join(dist, name));
  const pages = new Map(files.map((file) => [file, withoutCode(readFileSync(file, "utf8"))]));
  const anchors = new Map();
  const anchorsOf = (file) => {
    if (!anchors.has(file)) {
      const ids = pages.get(file)?.matchAll(/\s(?:id|name)="([^"]*)"/g) ?? [];
      anchors.set(file, new Set([...ids].map(([, id]) => decoded(id))));
    }
    return anchors.get(file);
  };
  let links = 0;
  const problems = new Set();
  for (const [file, html] of pages) {
    const place = `http://site${base}${relative(dist, file)}`;
    for (const [, target] of html.matchAll(
      /<(?:a|link|script|img)\b[^>]*?\s(?:href|src)="([^"]*)"/g,
    )) {
      if (/^(?:data|mailto|javascript):/.test(target)) continue;
      const url = new URL(decoded(target), place);
      if (url.host !== "site") continue;
      links += 1;
      const problem = follow(url, dist, base, anchorsOf);
      if (problem) problems.add(`${relative(dist, file)}: ${decoded(target)} ${problem}`);
    }
  }
  return { links, problems: [...problems] };
}

/** @returns {string | null} what is wrong */
function follow(url, dist, base, anchorsOf) {
  if (!url.pathname.startsWith(base)) return `leaves ${base}`;
  let file = join(dist, decodeURIComponent(url.pathname.slice(base.length)));
  if (existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
  if (!existsSync(file)) return "does not exist";
  const anchor = decodeURIComponent(url.hash.slice(1));
  if (anchor === "" || !file.endsWith(".html") || anchorsOf(file).has(anchor)) return null;
  return "has no such anchor";
}

/** The page without scripts, which hold no links. */
const withoutCode = (html) => html.replaceAll(/<script\b(?![^>]*\ssrc=)[^>]*>.*?<\/script>/gs, "");

const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const decoded = (text) => text.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name) => entities[name]);
