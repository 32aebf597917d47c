// WebGPU in Node needs a Vulkan driver.
import { existsSync } from "node:fs";

const directory = "/usr/lib/chromium";

/**
 * The environment in which WebGPU in Node finds a Vulkan driver: where none is named and chromium is installed,
 * chromium's software driver, SwiftShader, and the loader beside it. The machine's own driver is found
 * without any of this.
 *
 * @returns {Record<string, string>} variables to set
 */
export function vulkanEnvironment() {
  const driver = `${directory}/vk_swiftshader_icd.json`;
  if (process.env.VK_DRIVER_FILES !== undefined || !existsSync(driver)) return {};
  const { LD_LIBRARY_PATH = directory, XDG_RUNTIME_DIR = "/tmp" } = process.env;
  return { VK_DRIVER_FILES: driver, LD_LIBRARY_PATH, XDG_RUNTIME_DIR };
}
