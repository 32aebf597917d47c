import { parseDocument, selectCases } from "@heed/conformance";
import { beforeEach, describe, expect, test } from "vitest";
import { scope } from "../../../test/select.js";
import { offered } from "../src/backends.js";
import { ConformancePage } from "../src/page.js";
import { readQuery } from "../src/query.js";
import { readVector } from "../src/vectors.js";

/** Backends of this repository beside its first four, such as one that was made a minute ago. */
const added = Object.keys(import.meta.glob("../../../packages/backend-*/package.json"))
  .map((path) => /backend-([^/]+)/.exec(path)?.[1] as string)
  .filter((name) => !["js", "onnx", "wasm", "webgpu"].includes(name));

let root: HTMLElement;

beforeEach(() => {
  document.body.innerHTML = "";
  root = document.body.appendChild(document.createElement("div"));
});

function open(search: string): ConformancePage {
  return new ConformancePage(root, readQuery(search), readVector);
}

function element<E extends HTMLElement>(selector: string): E {
  return root.querySelector(selector) as E;
}

describe("the address", () => {
  test("of a deep link names a backend and a case, and starts at once", () => {
    expect(readQuery("?backend=js&case=core%2Fcausal")).toEqual({
      backends: ["js"],
      unknown: [],
      id: "core/causal",
      filter: "",
      profile: "",
      start: true,
    });
  });

  test("alone means every backend that this browser has what it needs for, and waits", () => {
    const query = readQuery("");
    const lacking = offered.filter((o) => o.lacking !== null).map(({ name }) => name);
    expect(query.backends).toEqual(
      [...added, "js", "onnx:wasm", "onnx:webgpu", "onnx:webnn", "wasm", "webgpu"]
        .sort()
        .filter((name) => !lacking.includes(name)),
    );
    expect(lacking.includes("webgpu")).toBe(!("gpu" in navigator));
    expect(query.start).toBe(false);
  });

  test("of a report from Node means each of a backend's providers", () => {
    const { backends } = readQuery("?backend=onnx&case=core%2Fcausal");
    expect(backends).toEqual(["onnx:wasm", "onnx:webgpu", "onnx:webnn"]);
  });

  test("with a backend that is not here starts nothing, and says so", () => {
    open("?backend=theirs&case=core%2Fcausal");
    expect(readQuery("?backend=theirs&start").start).toBe(false);
    expect(element("#status").textContent).toBe("There is no backend theirs on this page.");
  });
});

test("runs a case of a deep link again, and nothing else", async () => {
  const [report] = await open("?backend=js&case=core/causal").run();
  expect(report?.results.map(({ id, outcome }) => [id, outcome])).toEqual([
    ["core/causal", "pass"],
  ]);
});

/** All that this browser can run. */
test("runs what the form says, shows how far it is, and offers the report as JSON", {
  timeout: 240_000,
}, async () => {
  // With time enough, all that a first backend must get right.
  const [option, value] = scope === "" ? ["filter", "core/causal"] : ["profile", "core"];
  open(`?${option}=${value}`);
  const ticked = [...root.querySelectorAll<HTMLInputElement>("input[name=backend]:checked")];
  const names = ticked.map(({ value }) => value);
  const count = selectCases({ [option as string]: value }).length;
  const progress = element<HTMLProgressElement>("progress");
  const link = element<HTMLAnchorElement>("a[download]");
  expect(progress.value).toBe(0);
  expect(link.hidden).toBe(true);

  element<HTMLFormElement>("form").requestSubmit();
  await expect.poll(() => progress.value, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(progress.value).toBeLessThan(progress.max);
  await expect.poll(() => link.hidden, { timeout: 220_000, interval: 200 }).toBe(false);
  expect(progress.value).toBe(progress.max);
  expect(progress.max).toBe(names.length * count);
  expect(element("#failures").textContent).toBe("");
  expect(element("#status").textContent).toBe("Done: nothing failed.");

  expect(link.download).toBe("heed-conformance.json");
  const { reports } = parseDocument(await (await fetch(link.href)).text());
  const ran = reports.filter(({ unavailable }) => unavailable === null);
  expect(reports.map(({ backend }) => backend)).toEqual(names);
  expect(ran.map(({ counts }) => counts.pass)).toEqual(ran.map(() => count));
  const required = (import.meta.env.HEED_REQUIRE ?? "").split(",");
  const missing = reports.filter(
    ({ unavailable, backend }) => unavailable && required.includes(backend.split(":")[0] as string),
  );
  expect(missing).toEqual([]);

  // The report is on the page too, its links lead back to it, and its filter works.
  const cell = element<HTMLAnchorElement>("#cases td.pass a");
  expect(cell.getAttribute("href")).toMatch(/^\?backend=js&case=core%2F/);
  const filter = element<HTMLInputElement>("#filter");
  filter.value = "core/causal";
  filter.dispatchEvent(new InputEvent("input", { bubbles: true }));
  const rows = [...root.querySelectorAll<HTMLElement>("#cases tbody tr:not([hidden])")];
  const ids = rows.map(({ dataset }) => dataset.id as string);
  expect(ids).toContain("core/causal-offset");
  expect(ids.filter((id) => !id.includes("core/causal"))).toEqual([]);
});

test("says why a backend refuses, without a mouse", async () => {
  await open("?backend=wasm&filter=numerics/float64-l7").run();
  const button = element<HTMLButtonElement>("#cases td.unsupported button");
  const told = document.getElementById(button.getAttribute("popovertarget") as string);
  button.click();
  expect(told?.matches(":popover-open")).toBe(true);
  expect(told?.textContent).toMatch(/refused: .*float64/);
  expect(told?.querySelector("a")?.getAttribute("href")).toContain("case=numerics%2Ffloat64-l7");
});
