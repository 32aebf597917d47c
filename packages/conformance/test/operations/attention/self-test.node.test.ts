import { createAttention } from "@heed/core";
import { expect, test } from "vitest";
import { catalogue, usualTiles } from "../../../src/operations/attention/mistakes/index.js";
import { mutantOf } from "./mutants/backend.js";

test("core's self-test notices a backend with one of these mistakes when it loads", async () => {
  const noticed: string[] = [];
  for (const mistake of catalogue([2, ...usualTiles])) {
    const { name } = mistake;
    const loading = createAttention({ backends: [mutantOf(mistake)], fallback: "silent" });
    const message = await loading.then(
      () => null,
      (error: Error) => error.message,
    );
    if (message === null) continue;
    // For its numbers, not because the mutant itself is broken.
    expect.soft(message, name).toMatch(/self-test found wrong numbers/);
    noticed.push(name);
  }
  await expect(`${noticed.join("\n")}\n`).toMatchFileSnapshot("self-test.txt");
}, 120_000);
