import { DeviceLostError } from "@heed/core";
import { Faults } from "@heed/gpu-memory";
import { afterEach, expect, test } from "vitest";
import { FakeDevice } from "./fake-device.js";

/** A device that answers everything with a rejection once it is lost, as Dawn does. */
class LostDevice extends FakeDevice {
  gone = false;
  override popErrorScope(): Promise<null> {
    return this.gone
      ? Promise.reject(new DOMException("lost", "AbortError"))
      : Promise.resolve(null);
  }
}

const unhandled: unknown[] = [];
const listener = (reason: unknown): void => {
  unhandled.push(reason);
};
process.on("unhandledRejection", listener);
afterEach(() => {
  unhandled.length = 0;
});

async function lose(): Promise<{ device: LostDevice; faults: Faults }> {
  const device = new LostDevice();
  const faults = Faults.of(device, "gpu");
  device.gone = true;
  device.lose({ reason: "destroyed", message: "" });
  await device.lost;
  return { device, faults };
}
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("a promise of a device that is lost already has its rejection heard", async () => {
  const { faults } = await lose();
  const work = Promise.reject(new DOMException("lost", "AbortError"));
  await expect(faults.orLost(work)).rejects.toBeInstanceOf(DeviceLostError);
  const { accepted } = faults.watch("work", () => 1);
  await expect(accepted).rejects.toBeInstanceOf(DeviceLostError);
  await later();
  expect(unhandled).toEqual([]);
});

test("so have the scopes of work that throws, or that nobody waits for", async () => {
  const { faults } = await lose();
  const work = (): never => {
    throw new RangeError("no such buffer");
  };
  expect(() => faults.watch("work", work)).toThrow(RangeError);
  faults.watch("work", () => 1);
  await later();
  expect(unhandled).toEqual([]);
});
