import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

/** Path under which the site is hosted, with a slash at both ends: `node tools/build.js --base /heed/`. */
const base = process.env.HEED_SITE_BASE ?? "/";
const { address } = JSON.parse(
  readFileSync(new URL("../generated/site.json", import.meta.url), "utf8"),
);
const sidebar = JSON.parse(
  readFileSync(new URL("../generated/sidebar.json", import.meta.url), "utf8"),
);

export default defineConfig({
  base,
  srcDir: "generated/site",
  outDir: "dist",
  cacheDir: "generated/cache",
  lang: "en",
  title: "Heed",
  titleTemplate: ":title · Heed",
  description: "Attention for every JavaScript runtime",
  cleanUrls: false,
  lastUpdated: false,
  // Pages of other makers are put beside these when all are built; `tools/check.js` follows every link.
  ignoreDeadLinks: [/^\/(?:api|bench|conformance|explorer)\//, /^https?:\/\/localhost/],
  head: [
    ["link", { rel: "icon", href: `${base}icon.svg`, type: "image/svg+xml" }],
    ["meta", { name: "color-scheme", content: "light dark" }],
  ],
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config: (md) => {
      // Wide tables scroll by themselves, also by keyboard; the page does not.
      md.renderer.rules.table_open = () =>
        '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>\n';
      md.renderer.rules.table_close = () => "</table></div>\n";
      // A heading without text is none.
      md.renderer.rules.th_open = (tokens, i, options, _env, self) => {
        if (tokens[i + 1].content === "") tokens[i].tag = "td";
        return self.renderToken(tokens, i, options);
      };
      md.renderer.rules.th_close = (tokens, i, options, _env, self) => {
        if (tokens[i - 1].content === "") tokens[i].tag = "td";
        return self.renderToken(tokens, i, options);
      };
    },
  },
  vite: {
    resolve: {
      // The front page's own part of the page is its main part, for screen readers, too.
      alias: [
        {
          find: /^.*\/VPHome\.vue$/,
          replacement: fileURLToPath(new URL("theme/Home.vue", import.meta.url)),
        },
      ],
    },
    configFile: false,
    build: { chunkSizeWarningLimit: 2_000, reportCompressedSize: false },
    server: { fs: { allow: [".."] } },
  },
  themeConfig: {
    logo: "/icon.svg",
    nav: [
      {
        text: "Guide",
        link: "/first-call",
        activeMatch: "^/(attention|first-call|choosing|guides)",
      },
      { text: "Semantics", link: "/semantics" },
      { text: "Reference", link: "/reference" },
      { text: "Explorer", link: "/explorer/", target: "_self", rel: "" },
      { text: "Benchmark", link: "/bench/", target: "_self", rel: "" },
      { text: "Conformance", link: "/conformance/", target: "_self", rel: "" },
    ],
    sidebar: [
      ...sidebar,
      {
        text: "Run it here",
        items: [
          { text: "The explorer", link: "/explorer/", target: "_self" },
          { text: "The benchmark", link: "/bench/", target: "_self" },
          { text: "The conformance suite", link: "/conformance/", target: "_self" },
        ],
      },
    ],
    outline: { level: [2, 3], label: "On this page" },
    search: { provider: "local" },
    socialLinks: [],
    ...(address && { socialLinks: [{ icon: "git", link: address, ariaLabel: "Repository" }] }),
    footer: { message: "Apache-2.0" },
    docFooter: { prev: "Before", next: "Next" },
  },
});
