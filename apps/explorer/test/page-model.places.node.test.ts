import { expect, test } from "vitest";
import { whisper } from "../../../packages/splice/test/models/decoders.js";
import { withWeightsOutside } from "../../../packages/splice/test/models/outside.js";
import { computed, describePage } from "./built-page.js";

describePage("a model on the page", (built) => {
  test("a model that is opened shows its sites, and the weights of each head", async () => {
    const page = await built.ready("?view=model&backend=js");
    await page.setInputFiles("#model-file", {
      name: "mine.onnx",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(whisper().bytes),
    });
    await computed(page, "js");
    const rows = await page.locator(".sites tbody tr").allTextContents();
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/causal.*self/);
    expect(rows[1]).toContain("cross");
    expect(await page.textContent("#attended")).toMatch(
      /token 1 attends most to token 1 \(100\.0%\)/,
    );
    await page.click(".sites tbody tr:nth-child(2) button");
    await page.waitForSelector(".sites tbody tr:nth-child(2) [aria-pressed=true]");
    await page.selectOption("#site-head", "1");
    await page.waitForFunction(() =>
      /head 2/.test(document.querySelector("#site")?.textContent ?? ""),
    );
    expect(page.url()).not.toContain("blob");

    await page.setInputFiles("#model-file", {
      name: "cut.onnx",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(whisper().bytes.subarray(0, 700)),
    });
    await page.waitForSelector("#status.bad");
    expect(await page.textContent("#status")).toContain("the file ends after 700 bytes");
  });

  test("a model is dropped on the page together with the file of its weights", async () => {
    const page = await built.ready("?view=model&backend=js");
    const { bytes, files } = withWeightsOutside(whisper().bytes, ["mine.onnx_data"]);
    const dropped = [
      { name: "mine.onnx", bytes: Array.from(bytes) },
      { name: "mine.onnx_data", bytes: Array.from(files.get("mine.onnx_data") as Uint8Array) },
    ];
    const taken = await page.evaluate((given) => {
      const dataTransfer = new DataTransfer();
      for (const { name, bytes: own } of given) {
        dataTransfer.items.add(new File([Uint8Array.from(own)], name));
      }
      const options = { dataTransfer, bubbles: true, cancelable: true };
      // A browser leaves the page and shows the file unless the page takes both.
      return ["dragover", "drop"].map(
        (type) => !document.body.dispatchEvent(new DragEvent(type, options)),
      );
    }, dropped);
    expect(taken).toEqual([true, true]);
    await computed(page, "js");
    expect(await page.locator(".sites tbody tr").count()).toBe(2);
  });

  test("a model is opened together with the files in which its weights are", async () => {
    const page = await built.ready("?view=model&backend=js");
    const { bytes, files } = withWeightsOutside(whisper().bytes, ["mine.onnx_data"]);
    const file = (name: string, own: Uint8Array) => ({
      ...{ name, mimeType: "application/octet-stream" },
      buffer: Buffer.from(own),
    });
    await page.setInputFiles("#model-file", [file("mine.onnx", bytes)]);
    await page.waitForSelector("#status.bad");
    expect(await page.textContent("#status")).toContain(
      "weights of the model are in the file mine.onnx_data",
    );
    const data = file("mine.onnx_data", files.get("mine.onnx_data") as Uint8Array);
    await page.setInputFiles("#model-file", [data]);
    await computed(page, "js");
    expect(await page.locator(".sites tbody tr").count()).toBe(2);
    await page.setInputFiles("#model-file", [data, file("again.onnx", bytes)]);
    await computed(page, "js");
  });

  test("the text recogniser reads words that the page draws, and a reload brings its patches back", async () => {
    const page = await built.ready("?view=model&backend=wasm");
    await page.click("text=Use a text recogniser");
    await computed(page, "wasm");
    await page.waitForSelector("#read");
    await page.fill("#words", "WRENCH");
    await page.click(".model-form [type=submit]");
    await page.waitForFunction(() => document.querySelector("#read")?.textContent === "WRENCH");
    const patches = page.locator(".patches");
    const box = await patches.boundingBox();
    if (!box) throw new Error("no patches");
    await patches.click({ position: { x: box.width * 0.5, y: box.height / 2 } });
    await page.click(".sites tbody tr:nth-child(2) button");
    await page.waitForFunction(
      () => /query=/.test(location.search) || /site=1/.test(location.search),
    );
    await computed(page, "wasm");
    const before = await page.textContent("#attended");
    await page.reload();
    await computed(page, "wasm");
    expect(await page.textContent("#attended")).toBe(before);
    expect(await page.textContent("#read")).toBe("WRENCH");
  });
});
