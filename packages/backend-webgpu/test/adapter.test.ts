/** Adapters that are refused, and the reasons and hints of refusals. */
import { webgpu } from "@heed/backend-webgpu";
import { BackendUnavailableError } from "@heed/core";
import { describe, expect, test } from "vitest";
import { compilesSlowly, isFallback, requestAdapter } from "../src/adapter.js";
import { driverHint, runtimeName } from "../src/gpu.js";
import { available } from "./available.js";
import { unrequestedDevice } from "./devices.js";

const info = (members: Partial<Record<keyof GPUAdapterInfo, unknown>>) =>
  members as Partial<GPUAdapterInfo>;

test.each([
  ["the adapter's own flag", info({ vendor: "some", isFallbackAdapter: true })],
  ["SwiftShader", info({ vendor: "google", architecture: "swiftshader" })],
  ["llvmpipe", info({ vendor: "mesa", description: "llvmpipe (LLVM 15.0.6, 256 bits)" })],
  ["lavapipe", info({ device: "lavapipe" })],
  ["Windows", info({ vendor: "microsoft", description: "Microsoft Basic Render Driver" })],
  ["WARP", info({ architecture: "warp" })],
])("a fallback adapter is recognised by %s", (_, fallback) => {
  expect(isFallback(fallback)).toBe(true);
});

test.each([
  info({ vendor: "nvidia", architecture: "blackwell", description: "NVIDIA GeForce RTX 5070" }),
  info({ vendor: "apple", architecture: "metal-3" }),
  info({ vendor: "intel", architecture: "xe-2lpg", isFallbackAdapter: false }),
  info({ vendor: "qualcomm", description: "Adreno 740, warped" }),
  info({}),
  undefined,
])("others are not: %j", (real) => {
  expect(isFallback(real)).toBe(false);
  // An implementation from before the flag moved to the information.
  expect(isFallback(real, true)).toBe(true);
});

test("only SwiftShader is known to compile unrolled kernels soon", () => {
  expect(compilesSlowly(info({ vendor: "google", architecture: "swiftshader" }))).toBe(false);
  expect(compilesSlowly(info({ description: "SwiftShader Device (Subzero)" }))).toBe(false);
  expect(compilesSlowly(info({ vendor: "65541", description: "llvmpipe (LLVM 15.0.6)" }))).toBe(
    true,
  );
  expect(compilesSlowly(info({}))).toBe(true);
  expect(compilesSlowly(undefined)).toBe(true);
});

test("hints name what the runtime at hand needs, and no other runtime", () => {
  const node = (platform: string) => ({ process: { versions: { node: "20.19.0" }, platform } });
  expect(runtimeName(node("linux"))).toBe("node");
  expect(driverHint(node("linux"))).toMatch(/apt install libvulkan1 mesa-vulkan-drivers/);
  expect(driverHint(node("win32"))).not.toMatch(/apt|browser/);
  expect(driverHint({})).toMatch(/browser/);
  expect(driverHint({})).not.toMatch(/Node|apt|Vulkan/);
  expect(runtimeName({ Deno: {}, process: { versions: { node: "24.0.0" } } })).toBe("deno");
});

test("no adapter, and an adapter request that fails, are reasons with a hint", async () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const withGpu = (requestAdapter: () => Promise<GPUAdapter | null>) =>
    Object.defineProperty(globalThis, "navigator", {
      configurable: true,
      value: { gpu: { requestAdapter } },
    });
  try {
    withGpu(async () => null);
    const missing: unknown = await requestAdapter({}, false).catch((error) => error);
    expect(missing).toBeInstanceOf(BackendUnavailableError);
    expect((missing as BackendUnavailableError).hint).toBe(driverHint());
    withGpu(() => Promise.reject(new Error("blocked")));
    await expect(requestAdapter({}, false)).rejects.toMatchObject({
      message: expect.stringContaining("blocked"),
      hint: driverHint(),
    });
  } finally {
    if (original) Object.defineProperty(globalThis, "navigator", original);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
});

describe.skipIf(!available)("with an adapter", () => {
  test("an imitated GPU is refused unless it is allowed or the device is given", async () => {
    const allowed = await webgpu({ allowFallbackAdapter: true }).load();
    const { software } = allowed.capabilities;
    expect(allowed.info.notes?.some((note) => note.includes("allowFallbackAdapter"))).toBe(
      software,
    );
    allowed.dispose();
    const refused: unknown = await webgpu()
      .load()
      .then(
        (backend) => backend.dispose(),
        (error) => error,
      );
    if (software) {
      expect(refused).toBeInstanceOf(BackendUnavailableError);
      expect((refused as BackendUnavailableError).hint).toMatch(/allowFallbackAdapter: true/);
    } else expect(refused).toBeUndefined();
    const device = await unrequestedDevice();
    const given = await webgpu({ device }).load();
    expect(given.capabilities.software).toBe(software);
    given.dispose();
    device.destroy();
  });
});
