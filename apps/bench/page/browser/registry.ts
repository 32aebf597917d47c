import { readManifest } from "@heed/conformance";
import {
  inUsualOrder,
  type RegisteredBackend,
  type Registry,
} from "../../src/contenders/registry/registry.js";

/** Every backend package of the repository, imported when it is measured: a new one needs no entry here. */
const modules = import.meta.glob<Record<string, unknown>>(
  "../../../../packages/backend-*/src/index.ts",
);
const packages = import.meta.glob<unknown>("../../../../packages/backend-*/package.json", {
  eager: true,
  import: "default",
});

const loaders = new Map(
  Object.entries(modules).map(([path, load]) => [
    /backend-([^/]+)/.exec(path)?.[1] as string,
    load,
  ]),
);

/** Backends in a web page: those that it was built with. */
export const registry: Registry = {
  backends: inUsualOrder([...loaders.keys()]).map(
    (name): RegisteredBackend => ({
      name,
      specifier: `@heed/backend-${name}`,
      manifest: readManifest(packages[`../../../../packages/backend-${name}/package.json`]),
      load: loaders.get(name) as RegisteredBackend["load"],
    }),
  ),
  ofPath: (path) => {
    throw new RangeError(`${path}: a web page cannot import a module by its path`);
  },
};
