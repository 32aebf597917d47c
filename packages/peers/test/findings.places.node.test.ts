import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type AnyCase, type CaseResult, checkCase, selectCases } from "@heed/conformance";
import type { AttentionProvider } from "@heed/core";
import { describe, expect, test } from "vitest";
import { peer } from "../src/index.js";

/** Something that a project gets wrong, by the suite's measure. */
interface Defect {
  readonly what: string;
  /** Whether a failing case fails because of it. */
  readonly explains: ((result: CaseResult) => boolean) | null;
  /** A file of `reproductions`, which needs nothing but the library. */
  readonly reproduction: string;
}

interface Project {
  readonly title: string;
  readonly packageName: string;
  readonly provider: AttentionProvider;
  readonly adapter: string;
  readonly defects: readonly Defect[];
  /** Small cases that it passes at least. */
  readonly passes: number;
}

const poisoned = ({ id }: CaseResult): boolean =>
  /poison|hidden-(keys|NaN|infinity|large)/.test(id);
const emptyRow = (result: CaseResult): boolean =>
  !poisoned(result) && result.failures.some((failure) => failure.includes("sees no key"));

const projects: readonly Project[] = [
  {
    title: "@jax-js/jax, nn.dotProductAttention on wasm",
    packageName: "@jax-js/jax",
    provider: peer("jax-js"),
    adapter: "jax",
    passes: 30,
    defects: [
      {
        what: "A query that sees no key gets NaN instead of 0. It does not matter which rule hides the keys: a mask, a bias of −∞, `keyValueSeqLengths`, or `isCausal` with a window.",
        explains: emptyRow,
        reproduction: "jax-empty-row.js",
      },
      {
        what: "Hidden values are not skipped but multiplied by a weight of 0, and 0 · NaN is NaN. A NaN past `keyValueSeqLengths`, or in a value that a mask, `isCausal` or `localWindowSize` hides, therefore reaches every row of the output.",
        explains: poisoned,
        reproduction: "jax-hidden-nan.js",
      },
    ],
  },
  {
    title: "TensorFlow.js, composed by hand with a mask of −10⁹",
    packageName: "@tensorflow/tfjs-core",
    provider: peer("tfjs"),
    adapter: "tfjs",
    passes: 30,
    defects: [
      {
        what: "A query that sees no key gets a weighted average of the values that are hidden from it, instead of 0. (Neighbouring float32 numbers near 10⁹ are 64 apart, so adding −10⁹ also rounds the scores away.)",
        explains: emptyRow,
        reproduction: "tfjs-minus-1e9.js",
      },
      {
        what: "Hidden values are multiplied by a weight of 0, and 0 · NaN is NaN, so a NaN in a hidden value reaches every row of the output. In addition, a key whose score is of the order of 10⁹ stays visible although the mask hides it.",
        explains: poisoned,
        reproduction: "tfjs-minus-1e9.js",
      },
    ],
  },
  {
    title: "@ruvector/attention, DotProductAttention",
    packageName: "@ruvector/attention",
    provider: peer("ruvector"),
    adapter: "ruvector",
    // It has no bias, no softcap, and no size of the values' own.
    passes: 20,
    defects: [
      {
        what: "A query that sees no key gets NaN instead of 0.",
        explains: emptyRow,
        reproduction: "ruvector-empty-row.js",
      },
      {
        what: "Hidden values are multiplied by a weight of 0. A NaN or ∞ in a hidden value makes the row NaN, since 0 · NaN and 0 · ∞ are NaN.",
        explains: poisoned,
        reproduction: "ruvector-hidden-nan.js",
      },
    ],
  },
  {
    title: "onnxruntime-web, the operator Attention on wasm",
    packageName: "onnxruntime-web",
    provider: peer("ort-web/attention"),
    adapter: "onnxruntime",
    passes: 30,
    defects: [
      {
        what: "Values past `nonpad_kv_seqlen`, and values that a mask or `is_causal` hides, are multiplied by a weight of 0. Since 0 · NaN and 0 · ∞ are NaN, a NaN or ∞ in an unused slot of a cache reaches every row of the output.",
        explains: poisoned,
        reproduction: "ort-attention-hidden-nan.js",
      },
      {
        what: "A query gets an output of 0, as if it saw no key, if all its biases are the lowest finite float32. The expected output is the average of the values: that number is finite, and adding it to every score makes all scores equal.",
        explains: ({ id }) => /finfo-min|lowest/.test(id),
        reproduction: "ort-attention-lowest-bias.js",
      },
      {
        what: "Creating a session fails if `scale` is 0 or negative, although the operator's specification does not forbid that. (The adapter refuses such problems.)",
        explains: null,
        reproduction: "ort-attention-scale.js",
      },
    ],
  },
];

/** Small cases of all kinds: the peers are slow, and large cases show nothing more. */
function smallCases(): AnyCase[] {
  return selectCases({ vectors: false }).filter((c) => {
    if (!("spec" in c)) return c.id === "laws/hidden-keys-changed";
    const { batch = 1, queryHeads = 2, queryLength, keyLength = queryLength } = c.spec;
    const small = batch * queryHeads * queryLength * keyLength < 2500;
    return small || c.id.startsWith("masks/pair-causal-");
  });
}

/** Sections of the page of findings, one list for each project. */
const sections: string[][] = [];

describe.each(projects.map((project) => [project.title, project] as const))("%s", (_, project) => {
  const { title, packageName, provider, adapter, defects, passes } = project;

  test("fails what is known of it, and nothing else", async () => {
    const backend = await provider.load();
    const results: CaseResult[] = [];
    for (const c of smallCases()) results.push(await checkCase({ backend, provider }, c));
    backend.dispose();
    const failing = results.filter(({ outcome }) => outcome === "fail");
    const passing = results.filter(({ outcome }) => outcome === "pass");
    expect(passing.length).toBeGreaterThan(passes);
    const unexplained = failing.filter(
      (result) => defects.filter(({ explains }) => explains?.(result)).length !== 1,
    );
    expect(unexplained.map(({ id, failures }) => [id, failures])).toEqual([]);

    const manifest = new URL(`../node_modules/${packageName}/package.json`, import.meta.url);
    const { version } = JSON.parse(await readFile(manifest, "utf8"));
    const parts: string[] = [];
    const shown = new Set<string>();
    for (const { what, explains, reproduction } of defects) {
      const cases = failing.filter((result) => explains?.(result));
      if (explains) expect(cases, what).not.toEqual([]);
      parts.push(await section(what, cases, adapter, reproduction, shown.has(reproduction)));
      shown.add(reproduction);
    }
    sections.push([`## ${title}, ${version}`, ...parts]);
  });
});

/** A section of the page: the defect, an example, and its reproduction unless `isShown`, with the output. */
async function section(
  what: string,
  cases: readonly CaseResult[],
  adapter: string,
  reproduction: string,
  isShown: boolean,
): Promise<string> {
  const file = new URL(`../reproductions/${reproduction}`, import.meta.url);
  const source = await readFile(file, "utf8");
  const { stdout } = await promisify(execFile)(process.execPath, [file.pathname]);
  const [example] = cases;
  return [
    `${what}${example ? ` ${countFailing(cases.length)}, for example:` : ""}`,
    ...(example
      ? [
          `\`\`\`sh\npnpm conformance --backend packages/peers/dist/modules/${adapter}.js --case ${example.id}\n\`\`\``,
        ]
      : []),
    ...(isShown
      ? [`The script above, \`${reproduction}\`, shows this as well.`]
      : [
          `\`node packages/peers/reproductions/${reproduction}\`:`,
          `\`\`\`js\n${source.trim()}\n\`\`\``,
          `\`\`\`\n${withoutBanner(stdout)}\n\`\`\``,
        ]),
  ].join("\n\n");
}

function countFailing(count: number): string {
  return count === 1
    ? "1 of the small cases fails because of this"
    : `${count} of the small cases fail because of this`;
}

/** The output without the banner that TensorFlow.js prints in Node. */
function withoutBanner(output: string): string {
  return output
    .split("\n")
    .filter((line) => !/^=+$|running TensorFlow\.js in Node/.test(line))
    .join("\n")
    .trim();
}

test("the page of other people's implementations says so", async ({ skip }) => {
  if (sections.length < projects.length) return skip("only some of the tests ran");
  const page = [
    "# What the suite finds in other people's implementations",
    "The conformance suite calls each library through an adapter (`packages/peers`), which follows the library's documentation and refuses problems that the library does not offer. The test `packages/peers/test/findings.places.node.test.ts` runs everything on this page and generates the page; it fails as soon as something here is no longer true.",
    "Each reproduction calls the library alone, without the adapter and without Heed's backends; those for onnxruntime-web take their ONNX model from this repository. The output of a script follows its source.",
    ...sections.flat(),
  ];
  await expect(`${page.join("\n\n")}\n`).toMatchFileSnapshot("../../../docs/others.md");
});
