/// <reference lib="webworker" />
import { measureTogether, type ThreadStart } from "../../src/ceiling/threads.js";

addEventListener("message", async ({ data }: MessageEvent<ThreadStart>) => {
  postMessage(await measureTogether(data));
});
