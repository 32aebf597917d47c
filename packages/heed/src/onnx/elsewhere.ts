import type { Provider } from "@heed/core";
import { BackendUnavailableError } from "@heed/core/tensor";

/**
 * A name does not bring onnx into a bundle, since bundlers would then emit its runtime, of 14 MB or
 * more, for every application.
 */
export function onnxByName(_options: object): Provider {
  const load = async (): Promise<never> => {
    throw new BackendUnavailableError(
      "outside of Node, its runtime has to be imported by the application",
      'import { onnx } from "heed/onnx", and give onnx() instead of "onnx"',
    );
  };
  return { name: "onnx", load };
}
