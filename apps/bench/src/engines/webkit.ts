import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { Readable } from "node:stream";
import type { WebDriver } from "selenium-webdriver";
import { findEngine, findXvfb } from "./find.js";
import type { OpenedPage, OpenOptions } from "./opened.js";

/** Opens a page in WebKitGTK's MiniBrowser, over WebDriver, on a display that nobody sees. */
export async function openWebKit({ env = {}, args = [] }: OpenOptions): Promise<OpenedPage> {
  const driverPath = findEngine("webkit");
  const selenium = await import("selenium-webdriver").catch((cause: unknown) => {
    throw new Error("selenium-webdriver is not installed, and drives webkit", { cause });
  });
  const children: ChildProcess[] = [];
  const end = () => {
    for (const child of children) child.kill();
  };
  try {
    const display = process.env.DISPLAY || (await startDisplay(children));
    const port = await freePort();
    const service = spawn(driverPath, [`--port=${port}`], {
      stdio: "ignore",
      env: { ...process.env, ...env, DISPLAY: display },
    });
    children.push(service);
    await listening(service, port);
    const capabilities = new selenium.Capabilities({
      browserName: "MiniBrowser",
      "webkitgtk:browserOptions": { args: ["--automation", ...args] },
    });
    const driver = await new selenium.Builder()
      .usingServer(`http://127.0.0.1:${port}`)
      .withCapabilities(capabilities)
      .build();
    return pageOf(driver, end);
  } catch (error) {
    end();
    throw error;
  }
}

async function pageOf(driver: WebDriver, end: () => void): Promise<OpenedPage> {
  return {
    version: String((await driver.getCapabilities()).get("browserVersion")),
    goto: (url) => driver.get(url),
    evaluate: async (expression) => JSON.parse(await readInPieces(driver, expression)),
    resize: async (width, height) => {
      // The window has a frame: it is made as much larger as its content came out too small.
      const size = { x: 0, y: 0, width, height };
      await driver.manage().window().setRect(size);
      const [w = width, h = height] = await driver.executeScript<number[]>(
        "return [innerWidth, innerHeight];",
      );
      await driver
        .manage()
        .window()
        .setRect({ ...size, width: 2 * width - w, height: 2 * height - h });
    },
    screenshot: async () => Buffer.from(await driver.takeScreenshot(), "base64"),
    close: async () => {
      try {
        await driver.quit();
      } finally {
        end();
      }
    },
  };
}

/** Characters of a result that are read at once: the driver may fail to parse longer ones while the machine is busy. */
const pieceLength = 1 << 20;

/** An expression's value as JSON. It is read in ASCII, which may be cut anywhere. */
async function readInPieces(driver: WebDriver, expression: string): Promise<string> {
  const length = await driver.executeScript<number>(
    `const text = JSON.stringify((${expression}) ?? null);
    return (globalThis.heedAnswer = encodeURIComponent(text)).length;`,
  );
  let text = "";
  while (text.length < length) {
    const end = text.length + pieceLength;
    text += await driver.executeScript<string>(
      `return globalThis.heedAnswer.slice(${text.length}, ${end});`,
    );
  }
  return decodeURIComponent(text);
}

/** Starts an X server without a screen. @returns the name of its display */
async function startDisplay(children: ChildProcess[]): Promise<string> {
  const screen = ["-screen", "0", "1600x1400x24"];
  // `findEngine` has found it.
  const server = spawn(findXvfb() as string, ["-displayfd", "3", ...screen, "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  children.push(server);
  const number = once(server.stdio[3] as Readable, "data").then(
    ([data]) => `:${String(data).trim()}`,
  );
  const ended = once(server, "exit").then(() => {
    throw new Error("Xvfb ended before it had a display");
  });
  return Promise.race([number, ended]);
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until the driver answers. @throws Error if it ends, or does not answer within 20 s */
async function listening(service: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (service.exitCode !== null) {
      throw new Error(`the driver of webkit ended with exit code ${service.exitCode}`);
    }
    const answer = await fetch(`http://127.0.0.1:${port}/status`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the driver of webkit does not answer");
}
