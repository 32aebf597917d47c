// Gathers the pages of the site from the repository's Markdown, in `generated/site`, where vitepress reads them.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { deviceReportToJson } from "@heed/conformance/device-report";
import { changelog } from "./changelog.js";
import { embedDevices, readReports } from "./devices.js";
import { drawDiagrams, embedFiles, embedPictures } from "./embed.js";
import { rewriteLinks } from "./links.js";
import { publishedPackages } from "./packages.js";
import { allSources, alsoKnownAs } from "./sources.js";

/** Groups of the sidebar, in order. */
const groups = ["Start", "Guides", "Recipes", "Reference", "Inside"];

/**
 * @param {string} root the repository
 * @param {string} target an empty folder
 * @param {object} options
 * @param {string} options.base path under which the site is hosted
 * @param {string} options.address of the repository on the web; empty if it has none
 * @returns {string[]} links that lead nowhere
 */
export function assemble(root, target, { base, address }) {
  rmSync(target, { recursive: true, force: true });
  const packages = publishedPackages(root);
  const sources = allSources(root);
  const pages = new Map(Object.entries(alsoKnownAs));
  for (const { file, page } of sources) pages.set(file, page.replace(/(?:^|\/)index$/, "/"));
  for (const { name, folder } of packages) pages.set(name, pages.get(`${folder}/README.md`));
  const reports = readReports(join(root, "reports"));
  const problems = [];
  for (const { file, page } of sources) {
    const whole = join(root, file);
    const pictures = join(root, "apps/docs/pages/pictures");
    const drawn = embedPictures(readFileSync(whole, "utf8"), pictures);
    const shown = withoutNotes(embedDevices(drawn, reports, base));
    const given = drawDiagrams(embedFiles(shown, whole));
    const result = rewriteLinks(given, {
      ...{ file, root, base, pages, address },
      asset: (path) => takeAlong(root, target, path),
    });
    problems.push(...result.problems);
    write(join(target, `${page}.md`), result.text);
  }
  write(join(target, "changelog.md"), changelog(root, packages));
  cpSync(join(root, "apps/docs/pages/public"), join(target, "public"), { recursive: true });
  mkdirSync(join(target, "public/reports"), { recursive: true });
  for (const { file, report } of reports) {
    write(join(target, "public/reports", file), deviceReportToJson(report));
  }
  const last = [
    { page: "reference", title: "Packages and their reference", group: "Reference" },
    { page: "changelog", title: "Changelog", group: "Reference" },
  ];
  write(join(target, "../sidebar.json"), JSON.stringify(sidebar([...sources, ...last])));
  return problems;
}

/** Comments that only tools read. */
const withoutNotes = (text) => text.replaceAll(/^<!-- .*? -->\n/gms, "");

/** @returns {object[]} vitepress' items */
function sidebar(sources) {
  const item = ({ page, title, file }) => ({
    text: title.replace(/^@heed\/(?=\w+$)/, "@heed/"),
    link: `/${page.replace(/(?:^|\/)index$/, "/")}`.replace("//", "/"),
    ...children(
      sources.filter(({ parent }) => parent === page),
      file,
    ),
  });
  const children = (own) => (own.length === 0 ? {} : { collapsed: true, items: own.map(item) });
  return groups.map((group) => ({
    text: group,
    items: sources.filter((source) => source.group === group && !source.parent).map(item),
  }));
}

/** Copies a picture to where the site's files are. */
function takeAlong(root, target, path) {
  const name = path.replaceAll("/", "-");
  mkdirSync(join(target, "public/pictures"), { recursive: true });
  cpSync(join(root, path), join(target, "public/pictures", name));
  return `/pictures/${basename(name)}`;
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
