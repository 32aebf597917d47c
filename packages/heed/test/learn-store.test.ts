/** The memory of `select: "auto"`, and the stores that it is kept in. */
import { zeros } from "@heed/core";
import { clear, createStore, get, set } from "idb-keyval";
import { describe, expect, test, vi } from "vitest";
import { createAttention, type LearningStore } from "../src/index.js";
import { Memory } from "../src/learn/memory.js";
import { defaultStore } from "../src/learn/store.js";

describe("notes of backends", () => {
  async function written(change: (memory: Memory) => void): Promise<string> {
    let text = "";
    const memory = new Memory({
      read: () => null,
      write: (now) => {
        text = now;
      },
    });
    change(memory);
    await memory.flush();
    return text;
  }

  const restored = async (text: string) => {
    const memory = new Memory({ read: () => text, write: () => {} });
    await memory.restore();
    return memory;
  };

  test("outlive the process, each by its name", async () => {
    const text = await written((memory) => {
      memory.note("wasm").write("fast");
      memory.note("other").write("slow");
      memory.note("wasm").write("faster");
    });
    const memory = await restored(text);
    expect(memory.note("wasm").read()).toBe("faster");
    expect(memory.note("other").read()).toBe("slow");
    expect(memory.note("none").read()).toBeUndefined();
  });

  test("that are no texts, or too long, are left out, and stores of earlier versions have none", async () => {
    expect(await written((memory) => memory.note("wasm").write("x".repeat(65_537)))).toBe("");
    const text = await written((memory) => memory.note("wasm").write("fast"));
    for (const damaged of [
      text.replace('"fast"', "5"),
      text.replace('{"wasm":"fast"}', "null"),
      text.replace(',"notes":{"wasm":"fast"}', ""),
    ]) {
      expect(damaged).not.toBe(text);
      expect((await restored(damaged)).note("wasm").read(), damaged).toBeUndefined();
    }
  });
});

describe("stores", () => {
  test("that throw, reject or never answer disturb nothing", async () => {
    const never = () => new Promise<never>(() => {});
    const fails = () => {
      throw new Error("quota");
    };
    const rejects = async () => {
      throw new Error("quota");
    };
    for (const behaviour of [never, fails, rejects]) {
      const memory = new Memory({ read: behaviour, write: behaviour });
      await memory.restore();
      memory.set("kind", "backend", { milliseconds: 1, at: Date.now() });
      await memory.flush();
      expect(memory.get("kind", "backend")?.milliseconds).toBe(1);
    }
  });

  test("forget the oldest classes", async () => {
    const memory = new Memory(null);
    for (let i = 0; i < 300; i++) memory.set(`${i}`, "wasm; ", { milliseconds: 1, at: i });
    expect(memory.get("0", "wasm; ")).toBeUndefined();
    expect(memory.get("299", "wasm; ")).toBeDefined();
  });

  test("keep what others wrote meanwhile, and the newer of two times", async () => {
    let text: string | null = null;
    const store: LearningStore = {
      read: () => text,
      write: (now) => {
        text = now;
      },
    };
    const [one, other] = [new Memory(store), new Memory(store)];
    await Promise.all([one.restore(), other.restore()]);
    one.set("a", "wasm; ", { milliseconds: 1, at: 10 });
    one.set("b", "wasm; ", { milliseconds: 2, at: 20 });
    one.note("wasm").write("one");
    await one.flush();
    other.set("b", "wasm; ", { milliseconds: 3, at: 15 });
    other.set("b", "onnx; ", { milliseconds: 4, at: 15 });
    other.set("c", "wasm; ", { milliseconds: 5, at: 30 });
    await other.flush();
    const later = new Memory(store);
    await later.restore();
    expect(later.get("a", "wasm; ")?.milliseconds).toBe(1);
    expect(later.get("b", "wasm; ")?.milliseconds).toBe(2);
    expect(later.get("b", "onnx; ")?.milliseconds).toBe(4);
    expect(later.get("c", "wasm; ")?.milliseconds).toBe(5);
    expect(later.note("wasm").read()).toBe("one");
    later.note("wasm").write("two");
    one.note("other").write("three");
    await later.flush();
    await one.flush();
    await other.restore();
    expect([other.note("wasm").read(), other.note("other").read()]).toEqual(["one", "three"]);
  });

  test.skipIf(!("indexedDB" in globalThis))(
    "of pages and their workers are in IndexedDB",
    async () => {
      const place = createStore("heed", "learned");
      await clear(place);
      const store = defaultStore();
      expect(await store?.read()).toBeNull();
      await store?.write("of a page");
      expect(await get("learned", place)).toBe("of a page");
      const worker = new Worker(new URL("./store.worker.ts", import.meta.url), { type: "module" });
      const answer = new Promise((resolve) => worker.addEventListener("message", resolve));
      worker.postMessage("of a worker");
      expect(await answer).toMatchObject({ data: "of a page" });
      worker.terminate();
      expect(await store?.read()).toBe("of a worker");
      // Other scripts of the page can write there.
      await set("learned", { damaged: true }, place);
      expect(await store?.read()).toBeNull();
      const attention = await createAttention({ backends: ["js"] });
      const t = zeros("float32", [1, 1, 2, 4]);
      for (let i = 0; i < 4; i++) await attention.run({ query: t, key: t, value: t });
      await attention.dispose();
      expect(JSON.parse((await store?.read()) ?? "")).toMatchObject({ format: "heed-learned" });
      await clear(place);
    },
  );

  test("that are forbidden disturb nothing, and some places have none", async () => {
    // As in a frame without an origin of its own, where opening it fails; there is none in Node.
    const forbidden = defaultStore({ indexedDB: {} });
    vi.stubGlobal("indexedDB", {
      open: () => {
        throw new DOMException("denied", "SecurityError");
      },
    });
    const memory = new Memory(forbidden);
    await memory.restore();
    memory.set("kind", "backend", { milliseconds: 1, at: Date.now() });
    await memory.flush();
    vi.unstubAllGlobals();
    expect(memory.get("kind", "backend")?.milliseconds).toBe(1);
    expect(defaultStore({})).toBeNull();
  });

  test("have options that are checked", async () => {
    const options = { backends: ["js"], store: { read: 1 } } as never;
    await expect(createAttention(options)).rejects.toMatchObject({ argument: "store" });
    const write = vi.fn();
    const attention = await createAttention({
      backends: ["js"],
      store: { read: () => null, write },
    });
    const t = zeros("float32", [1, 1, 2, 4]);
    for (let i = 0; i < 4; i++) await attention.run({ query: t, key: t, value: t });
    await attention.dispose();
    expect(write).toHaveBeenCalledTimes(1);
    expect(JSON.parse(write.mock.calls[0]?.[0] as string)).toMatchObject({ version: 1 });
  });
});
