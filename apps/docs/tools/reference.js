// The reference of the published packages, by typedoc, and a page of the site that lists what they export.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Application, Converter, ReflectionKind, RendererEvent } from "typedoc";
import { publishedPackages } from "./packages.js";

/**
 * @param {string} root the repository
 * @param {string} base path under which the site is hosted
 * @param {string} out folder of the HTML pages
 * @param {string} page file of the list, in Markdown
 */
export async function writeReference(root, base, out, page) {
  const packages = publishedPackages(root);
  const style = `${out}.css`;
  const entries = packages.flatMap((one) => one.entries);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(dirname(style), { recursive: true });
  const sheets = ["packages/page/src/colours.css", "apps/docs/theme/reference.css"];
  writeFileSync(style, sheets.map((file) => readFileSync(join(root, file), "utf8")).join("\n"));
  const tsconfig = `${out}.tsconfig.json`;
  writeFileSync(
    tsconfig,
    JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        ...{ noEmit: true, composite: false, customConditions: ["source"] },
        ...{ lib: ["ES2023", "DOM", "DOM.Iterable"], types: ["node"] },
        typeRoots: [join(root, "node_modules/@types")],
      },
      files: entries.map(({ source }) => join(root, source)),
    }),
  );
  const app = await Application.bootstrap({
    name: "Heed",
    entryPoints: entries.map(({ source }) => join(root, source)),
    tsconfig,
    basePath: root,
    excludePrivate: true,
    excludeInternal: true,
    disableSources: true,
    disableGit: true,
    githubPages: false,
    // The build has checked types, and typedoc is slower at it.
    skipErrorChecking: true,
    readme: "none",
    customCss: style,
    titleLink: base,
    navigationLinks: {
      Guide: `${base}first-call.html`,
      Semantics: `${base}semantics.html`,
      Reference: `${base}reference.html`,
      Benchmark: `${base}bench/`,
      Conformance: `${base}conformance/`,
    },
    navigation: { includeCategories: false, includeGroups: false },
    validation: { invalidLink: true, notExported: false, notDocumented: false },
    logLevel: "Warn",
    hideGenerator: true,
    favicon: join(root, "apps/docs/pages/public/icon.svg"),
  });
  // Modules are named as applications import them.
  const specifiers = new Map(
    entries.map(({ specifier, source }) => [join(root, source), specifier]),
  );
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return;
    const file = context
      .getSymbolFromReflection(reflection)
      ?.declarations?.[0]?.getSourceFile().fileName;
    const name = specifiers.get(file);
    if (name !== undefined) reflection.name = name;
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("typedoc found errors");
  // The renderer has a router while it renders.
  let router;
  app.renderer.on(RendererEvent.BEGIN, () => {
    router = app.renderer.router;
  });
  await app.generateDocs(project, out);
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, listOf(project, packages, router));
}

/** A page that lists every name that can be imported, with its first sentence. */
function listOf(project, packages, router) {
  const text = [
    "# Packages and their reference\n",
    "Every name that the packages export. Each leads to its page in the reference, which has the full types.\n",
  ];
  for (const { name, folder, description, entries } of packages) {
    text.push(`## ${name} {#${slug(name)}}\n`);
    text.push(`${description}. [README](/packages/${folder.split("/")[1]})\n`);
    for (const { specifier } of entries) {
      const module = project.children.find((child) => child.name === specifier);
      if (module === undefined) continue;
      text.push(`### \`${specifier}\` {#${slug(specifier)}-module}\n`);
      text.push("| | |", "| - | - |");
      for (const child of module.children ?? []) text.push(row(child, router));
      text.push("");
    }
  }
  return text.join("\n");
}

function row(child, router) {
  const target = child.isReference() ? child.getTargetReflectionDeep() : child;
  const comment = target.comment ?? target.signatures?.[0]?.comment;
  const summary = (comment?.summary ?? [])
    .map((part) => part.text)
    .join("")
    .replaceAll("\n", " ");
  const [first] = summary.split(/(?<=[.:;])\s/);
  const url = router.hasUrl(target) ? router.getFullUrl(target) : null;
  const name = `\`${child.name}\``;
  return `| ${url === null ? name : `[${name}](/api/${url})`} | ${escapeCell(first ?? "")} |`;
}

const escapeCell = (text) =>
  text
    .replaceAll("|", "\\|")
    .replaceAll(/<(?!\/?code)/g, "&lt;")
    .replace(/[:;]$/, ".");

const slug = (name) => name.replaceAll(/[^a-z0-9]+/g, "-").replace(/^-/, "");
