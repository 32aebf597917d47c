import { parseDocument } from "@heed/conformance";
import { beforeEach, describe, expect, test } from "vitest";
import { ConformancePage, readQuery } from "../src/page.js";
import { readVector } from "../src/vectors.js";

let root: HTMLElement;

beforeEach(() => {
  document.body.innerHTML = "";
  root = document.body.appendChild(document.createElement("div"));
});

describe("the address", () => {
  test("of a deep link names a backend and a case, and starts at once", () => {
    expect(readQuery("?backend=js&case=core%2Fcausal")).toEqual({
      backends: ["js"],
      id: "core/causal",
      filter: "",
      start: true,
    });
  });

  test("alone means every backend, and waits", () => {
    const query = readQuery("");
    expect(query.backends).toEqual(["webgpu", "wasm", "js", "onnx"]);
    expect(query.start).toBe(false);
  });
});

test("runs a case of a deep link again, and nothing else", async () => {
  const page = new ConformancePage(root, readQuery("?backend=js&case=core/causal"), readVector);
  const [report] = await page.run();
  expect(report?.results.map(({ id, outcome }) => [id, outcome])).toEqual([
    ["core/causal", "pass"],
  ]);
});

test("runs what the form says, shows how far it is, and offers the report as JSON", async () => {
  new ConformancePage(root, readQuery("?backend=js&backend=wasm&filter=torch/gqa"), readVector);
  const progress = root.querySelector("progress") as HTMLProgressElement;
  expect(progress.value).toBe(0);
  (root.querySelector("form") as HTMLFormElement).requestSubmit();
  const link = root.querySelector("a[download]") as HTMLAnchorElement;
  await expect.poll(() => link.hidden, { timeout: 20_000 }).toBe(false);
  expect(progress.value).toBe(progress.max);
  expect(progress.max).toBe(2);
  expect(root.querySelector("#status")?.textContent).toBe("Done: nothing failed.");

  const document = parseDocument(await (await fetch(link.href)).text());
  expect(document.reports.map(({ backend, counts }) => [backend, counts.pass])).toEqual(
    [
      ["js", 1],
      ["wasm", 1],
    ].reverse(),
  );
  // The report is on the page too, and its links lead back to it.
  const cell = root.querySelector<HTMLAnchorElement>("#cases td a");
  expect(cell?.getAttribute("href")).toMatch(/^\?backend=wasm&case=vectors%2Ftorch%2Fgqa/);
});
