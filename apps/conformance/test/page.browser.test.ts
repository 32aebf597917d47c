import { parseDocument, selectCases } from "@heed/conformance";
import { beforeEach, describe, expect, test } from "vitest";
import { scope } from "../../../test/select.js";
import { mount } from "../page/mount.js";
import type { SuiteRun } from "../page/suite-run.js";
import { offered } from "../src/backends.js";
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

function open(search: string): SuiteRun {
  return mount(root, readQuery(search), readVector);
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

describe("onnxruntime's own operators", () => {
  test("are offered, but run only if they are asked for", () => {
    open("");
    const peers = offered.filter(({ isPeer }) => isPeer).map(({ name }) => name);
    expect(peers).toEqual(["ort-web/fused", "ort-web-webgpu/fused"]);
    const [, others] = root.querySelectorAll(".checks");
    expect(others?.textContent).toContain("GroupQueryAttention");
    expect(others?.querySelectorAll("input").length).toBe(2);
    expect(others?.querySelectorAll("input:checked").length).toBe(0);
    expect(readQuery("").backends.filter((name) => peers.includes(name))).toEqual([]);
  });

  test("are judged as backends are, on the CPU and, if there is one, on the GPU", async () => {
    const search = "?backend=ort-web/fused&backend=ort-web-webgpu/fused&case=core/causal";
    const reports = await open(search).run();
    expect(reports.map(({ backend }) => backend)).toEqual([
      "ort-web/fused",
      "ort-web-webgpu/fused",
    ]);
    const [cpu, gpu] = reports;
    expect(cpu?.results.map(({ outcome }) => outcome)).toEqual(["pass"]);
    expect(cpu?.info?.runtime).toContain("onnxruntime-web");
    // Devices differ in whether its kernels are right.
    if (gpu?.unavailable) return;
    expect(gpu?.info?.device).toBe("GPU");
    expect(["pass", "fail"]).toContain(gpu?.results[0]?.outcome);
  });
});

/** All that this browser can run. */
test("runs what is chosen, shows how far it is, and offers the report as JSON", {
  timeout: 240_000,
}, async () => {
  // With time enough, all that a first backend must get right.
  const [option, value] = scope === "" ? ["filter", "core/causal"] : ["profile", "core"];
  open(`?${option}=${value}`);
  const ticked = [...root.querySelectorAll<HTMLInputElement>(".checks input:checked")];
  const names = ticked.map(({ parentElement }) => parentElement?.textContent as string);
  const count = selectCases({ [option as string]: value }).length;
  expect(names.length).toBeGreaterThan(1);
  expect(element("progress")).toBeNull();
  expect(element("a[download]")).toBeNull();

  element<HTMLButtonElement>("button.run").click();
  await expect
    .poll(() => element<HTMLProgressElement>("progress")?.value ?? 0, { timeout: 20_000 })
    .toBeGreaterThan(0);
  expect(element<HTMLProgressElement>("progress").value).toBeLessThan(1);
  expect(element<HTMLButtonElement>("button.run").disabled).toBe(true);
  await expect
    .poll(() => element<HTMLAnchorElement>("a[download]")?.href ?? "", {
      timeout: 220_000,
      interval: 200,
    })
    .toMatch(/^blob:/);
  expect(element("progress")).toBeNull();
  expect(element("#failures")).toBeNull();
  expect(element("#status").textContent).toBe("Done: nothing failed.");

  const link = element<HTMLAnchorElement>("a[download]");
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
  expect(element(".cards").textContent).toContain(`${count} pass, 0 fail`);

  // The cases are folded by profile; the filter opens what it finds.
  expect(root.querySelectorAll("#cases tbody tr")).toHaveLength(0);
  const filter = element<HTMLInputElement>("#filter");
  filter.value = "core/causal";
  filter.dispatchEvent(new InputEvent("input", { bubbles: true }));
  const ids = () =>
    [...root.querySelectorAll<HTMLElement>("#cases tbody tr")].map(({ dataset }) => dataset.id);
  await expect.poll(ids).toContain("core/causal-offset");
  expect(ids().filter((id) => !id?.includes("core/causal"))).toEqual([]);
  expect(element("#cases td.pass").textContent).toMatch(/^✓ \d/);

  // A case shows its particulars, and its links lead back to it.
  element<HTMLButtonElement>("#cases tr[data-id='core/causal'] button").click();
  await expect.poll(() => element(".case-view")?.textContent ?? "").toContain("js: passes");
  const again = element<HTMLAnchorElement>(".case-view a");
  expect(again.getAttribute("href")).toMatch(/^\?backend=js&case=core%2F/);
  expect(element(".case-view pre").textContent).toContain('"causal":true');
});

test("says why a backend refuses, without a mouse", async () => {
  await open("?backend=wasm&filter=numerics/float64-l7").run();
  await expect.poll(() => element(".matrix td.refused button")).not.toBeNull();
  const button = element<HTMLButtonElement>(".matrix td.refused button");
  const told = document.getElementById(button.getAttribute("popovertarget") as string);
  button.click();
  expect(told?.matches(":popover-open")).toBe(true);
  expect(told?.textContent).toMatch(/float64/);
  // The same at the case itself, whose view has the link that runs it again.
  element<HTMLButtonElement>("#cases tr[data-id='numerics/float64-l7'] button").click();
  await expect.poll(() => element(".case-view")?.textContent ?? "").toMatch(/refused: .*float64/);
  expect(element(".case-view a").getAttribute("href")).toContain("case=numerics%2Ffloat64-l7");
});

test("a failing case is shown with what was expected, and what came", async () => {
  const suite = open("?backend=js&case=core/causal");
  await suite.run();
  const [report] = suite.reports.value;
  const [result] = report?.results ?? [];
  if (!report || !result) throw new Error("unreachable");
  const worst = { output: "output", index: [0, 1, 0, 5], expected: -2, got: 0, budgets: 7 };
  const failed = {
    ...result,
    outcome: "fail",
    failures: ["output is wrong in 80 of 80 rows"],
    explanations: [["causal hides a query's own key too"]],
    worst,
  } as const;
  suite.reports.value = [{ ...report, results: [failed], counts: { ...report.counts, fail: 1 } }];
  await expect.poll(() => element(".case-view")?.textContent ?? "").toContain("js: fails");
  const { textContent } = element(".case-view");
  expect(textContent).toContain("this is what comes out if causal hides a query's own key too");
  expect(textContent).toContain("worst element: output[0, 1, 0, 5]");
  // A profile in which something fails is open.
  await expect.poll(() => element("#cases td.fail")?.textContent ?? "").toContain("✗");
});
