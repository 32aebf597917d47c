/** A worker of a page: answers with what its default store holds, and writes there what it is sent. */
import { defaultStore } from "../src/learn/store.js";

addEventListener("message", async ({ data }) => {
  const store = defaultStore();
  const before = await store?.read();
  await store?.write(data);
  postMessage(before);
});
