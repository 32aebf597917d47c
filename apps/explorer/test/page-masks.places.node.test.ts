import { expect, test } from "vitest";
import { describePage, saved } from "./built-page.js";

describePage("masks and scores on the page", (built) => {
  test("masks show the tiles that are skipped", async () => {
    const page = await built.ready("?view=masks");
    expect(await page.textContent("#tiles")).toContain("Of 256 tiles, 120 are skipped (47%)");
    await page.selectOption("#mask-name", "window");
    await page.selectOption("#tile", "128");
    await page.waitForFunction(() =>
      /Of 64 tiles/.test(document.querySelector("#tiles")?.textContent ?? ""),
    );
    await page.reload();
    expect(await page.textContent("#tiles")).toContain("Of 64 tiles, 49 are skipped");
  });

  test("a mask is read cell by cell by keyboard, at any zoom", async () => {
    const page = await built.ready("?view=masks&mask=window");
    const map = page.locator('.map-frame[aria-label^="Sliding window"]');
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
      return (await page.textContent("#mask-cell")) ?? "";
    };
    await map.focus();
    expect(await press("ArrowDown")).toBe(
      "token 2 (2) → token 1 (1): seen, in a tile that is masked element by element",
    );
    expect(await press("ArrowRight", "ArrowRight")).toContain("token 3 (3): hidden, in a tile");
    expect(await press("End")).toBe(
      "token 2 (2) → token 1024 (1024): hidden, in a tile that is skipped",
    );
    for (let i = 0; i < 100; i++) await page.keyboard.press("Shift+ArrowDown");
    expect(await press("ArrowDown", "Home")).toContain("token 1003 (1003) → token 1 (1): hidden");
    await press("End");
    await page.selectOption("#mask-zoom", "16 px a cell");
    // The cell is kept, and stays on screen.
    await page.waitForFunction(() => {
      const box = document.querySelector(".map-frame") as HTMLElement;
      return box.scrollLeft > 15_000 && box.scrollTop > 15_000;
    });
    await map.focus();
    expect(await press("ArrowLeft")).toContain("token 1003 (1003) → token 1023 (1023): hidden");
    await page.selectOption("#mask-name", "swin");
    await page.waitForFunction(() =>
      /pixel 32, 11 \(1003\)/.test(document.querySelector("#mask-cell")?.textContent ?? ""),
    );
  });

  test("a mask is saved as a picture and as data", async () => {
    const page = await built.ready("?view=masks&mask=window");
    const file = (name: string) => saved(page, `.map:has(#mask-cell) .files >> text=${name}`);
    const data = JSON.parse((await file("JSON")).toString());
    expect([data.rows.length, data.queries.length, data.keys.length]).toEqual([1024, 1024, 1024]);
    for (const [query, row] of (data.rows as number[][]).entries()) {
      const seen = row.flatMap((one, key) => (one === 1 ? [key] : []));
      expect([seen[0], seen.at(-1), seen.length]).toEqual([
        Math.max(0, query - 128),
        query,
        Math.min(129, query + 1),
      ]);
    }
    expect(data.tiles.size).toBe(64);
    expect(data.tiles.kinds[5].slice(2, 7)).toEqual([
      "empty",
      "partial",
      "full",
      "partial",
      "empty",
    ]);

    const png = await file("PNG");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1024, 1024]);
    const colours = await page.evaluate(async (base64) => {
      const picture = await createImageBitmap(
        await (await fetch(`data:image/png;base64,${base64}`)).blob(),
      );
      const context = new OffscreenCanvas(1024, 1024).getContext("2d");
      context?.drawImage(picture, 0, 0);
      const at = (key: number, query: number) =>
        context?.getImageData(key, query, 1, 1).data.join(" ");
      return { seen: [at(300, 310), at(900, 970)], hidden: at(325, 322), skipped: at(900, 100) };
    }, png.toString("base64"));
    expect(colours.seen[0]).toBe(colours.seen[1]);
    expect(new Set([colours.seen[0], colours.hidden, colours.skipped]).size).toBe(3);

    expect((await file("SVG")).toString()).toContain('<image href="data:image/png;base64,');
    await page.selectOption("#mask-zoom", "16 px a cell");
    // A part of it has every cell, with its words.
    const part = (await file("SVG")).toString();
    expect(part).toContain(">token 1</text>");
    expect(part.match(/<rect /g)?.length).toBeGreaterThan(20 * 20);
    expect(part).not.toContain("<image");
  });

  test("scores of a program are read cell by cell, saved, and brought back by the address", async () => {
    const page = await built.ready("?view=masks");
    expect(await page.textContent("#score-range")).toMatch(
      /Scores of 0 become −\d.* to 0\.000\..*2,016 of 4,096 are hidden, and 6 of 16 tiles/,
    );
    await page.selectOption("#scores-name", "swin");
    await page.selectOption("#scores-head", { label: "3" });
    const map = page.locator('.map-frame[aria-label^="Scores after Swin"]');
    await map.focus();
    for (const key of ["ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
    expect(await page.textContent("#score-cell")).toMatch(
      /pixel 1, 2 \(2\) → pixel 1, 2 \(2\): −?\d\.\d{3}/,
    );
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
    expect(await page.textContent("#score-cell")).toContain("pixel 1, 6 (6): hidden");
    const data = JSON.parse(
      (await saved(page, ".map:has(#score-cell) .files >> text=JSON")).toString(),
    );
    expect(data.keys[9]).toBe("pixel 2, 2");
    expect(data.rows[1][5]).toBe(null);
    expect(typeof data.rows[1][1]).toBe("number");
    const svg = (await saved(page, ".map:has(#score-cell) .files >> text=SVG")).toString();
    const skipped = data.tiles.kinds.flat().filter((kind: string) => kind === "empty");
    expect(skipped.length).toBeGreaterThan(0);
    expect(svg.match(/<path stroke=/g)).toHaveLength(skipped.length);
    await page.reload();
    expect(await page.textContent("#scores")).toBe("Swin's position bias, head 3");
    await page.selectOption("#scores-name", "cap");
    expect(await page.textContent("#score-range")).toContain("Scores become −49.7");
    expect(await page.locator("#scores-head").count()).toBe(0);
  });
});
