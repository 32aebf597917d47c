import { selectWorkloads } from "@heed/bench";
import { wasm } from "heed";
import { onnx } from "heed/onnx";
import { measureLearning } from "../measure.js";

/** Called by the command, which shows the result of each case when it is there. */
globalThis.measure = ({ cases, calls }) =>
  measureLearning({
    backends: [
      ["wasm", wasm()],
      ["onnx", onnx({ provider: "wasm" })],
      ["js", "js"],
    ],
    workloads: selectWorkloads(cases.split(",")),
    calls,
    onCase: (result) => globalThis.onCase(result),
  });
