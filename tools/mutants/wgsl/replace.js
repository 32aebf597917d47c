/**
 * Kernels with a mutant in the place of a line, on every device of a process.
 *
 * @param {GPUDevice} prototype of devices
 * @param {() => { line: string, changed: string } | null} mutant the one at hand
 */
export function replaceLines(prototype, mutant) {
  const { createShaderModule } = prototype;
  prototype.createShaderModule = function (descriptor) {
    const planted = mutant();
    if (planted === null) return createShaderModule.call(this, descriptor);
    const { line, changed } = planted;
    const lines = descriptor.code.split("\n");
    const code = lines.map((one) => (one === line ? changed : one)).join("\n");
    return createShaderModule.call(this, { ...descriptor, code });
  };
}
