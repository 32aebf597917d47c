import { expect, test } from "vitest";
// @ts-expect-error a script without types
import { enginesTable } from "../tools/test/engines-table.js";

const result = (outcome: string, profile = "core") => ({ outcome, profile });

test("a row an engine, a column a backend, and a word for what was asked and what came", () => {
  const whole = [result("pass"), result("pass", "masks")];
  const tested = [
    { title: "js backend", results: whole },
    { title: "js in firefox 153.8", results: whole },
    { title: "webgpu in firefox 153.8 on llvmpipe", results: [result("pass")] },
    { title: "wasm in webkit 2.50.6", results: [...whole, result("unsupported", "masks")] },
    { title: "js in webkit 2.50.6", results: [...whole, result("fail")] },
  ];
  expect(enginesTable(tested).split("\n")).toEqual([
    "| engine | js | wasm | onnx, on wasm | webgpu |",
    "| --- | --- | --- | --- | --- |",
    "| Firefox 153.8 (SpiderMonkey) | all | – | – | core (llvmpipe) |",
    "| WebKitGTK 2.50.6 (JavaScriptCore, Safari's engine) | all, 1 wrong | all, but for refusals | – | – |",
  ]);
});
