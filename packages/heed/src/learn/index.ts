/** Learning from calls, imported beside the first backend. */
export { AutoStrategy } from "./auto.js";
export { Memory } from "./memory.js";
export { defaultStore } from "./store.js";
