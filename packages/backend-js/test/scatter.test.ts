import { js } from "@heed/backend-js";
import { createAttention, type DType, fromFloat64, scatter, tensor, toFloat64 } from "@heed/core";
import { expect, test } from "vitest";

test("a decode loop writes token by token into the tensors given, with one plan", async () => {
  const attention = await createAttention({ backends: [js()], fallback: "error" });
  for (const dtype of ["float64", "float32", "float16", "int8"] as const satisfies DType[]) {
    const target = fromFloat64(new Float64Array(2 * 3 * 9 * 20), [2, 3, 9, 20], dtype);
    const scales = fromFloat64(new Float64Array(2 * 3 * 9), [2, 3, 9], "float32");
    for (let token = 0; token < 9; token++) {
      const values = Float64Array.from({ length: 2 * 3 * 20 }, (_, i) => Math.sin(i + 7 * token));
      const source = fromFloat64(values, [2, 3, 1, 20], "float32");
      const slots = tensor(Int32Array.of(token, 8 - token), [2, 1]);
      const result = await attention.apply(scatter, {
        target,
        source,
        slots,
        ...(dtype === "int8" && { scales }),
      });
      expect(result.backend).toBe("js");
      expect(result.target).toBe(target);
      expect(result.scales).toBe(dtype === "int8" ? scales : undefined);
      const [got, factors] = [toFloat64(target), toFloat64(scales)];
      for (let b = 0; b < 2; b++) {
        for (let h = 0; h < 3; h++) {
          const row = (b * 3 + h) * 9 + (b === 0 ? token : 8 - token);
          const factor = dtype === "int8" ? (factors[row] as number) : 1;
          for (let c = 0; c < 20; c++) {
            const error =
              (got[row * 20 + c] as number) * factor - (values[(b * 3 + h) * 20 + c] as number);
            expect(Math.abs(error)).toBeLessThanOrEqual(
              dtype === "int8" ? 0.5001 / 127 : dtype === "float16" ? 2 ** -11 : 2 ** -24,
            );
          }
        }
      }
    }
  }
  await attention.dispose();
});
