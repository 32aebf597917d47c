import type { OnnxOptions } from "@heed/backend-onnx";
import type { Provider } from "@heed/core";

type Backend = typeof import("@heed/backend-onnx");

/** A variable and comments keep bundlers from what only exists where packages are installed. */
const backendPackage = "@heed/backend-onnx";

/** The backend of `@heed/backend-onnx`, imported when it is tried. */
export function onnxByName(options: OnnxOptions): Provider {
  const load = async () => {
    const { onnx } = (await import(
      /* webpackIgnore: true */ /* @vite-ignore */ backendPackage
    )) as Backend;
    return onnx(options).load();
  };
  return { name: "onnx", load };
}
