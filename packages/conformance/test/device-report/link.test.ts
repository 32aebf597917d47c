import { InvalidInputError } from "@heed/core";
import { expect, test } from "vitest";
import { reportFromFragment, reportToFragment } from "../../src/device-report/index.js";
import { small } from "./reports.js";

test("a report survives the way through an address", async () => {
  const device = "Abäcus ∞ 9000";
  const fragment = await reportToFragment({ ...small, device });
  expect(fragment).toMatch(/^#report=[\w-]+$/);
  const { hash } = new URL(`https://example.org/bench/?cases=real${fragment}`);
  expect(await reportFromFragment(hash)).toEqual({ ...small, device });
});

test("other fragments hold none", async () => {
  expect(await reportFromFragment("")).toBeNull();
  expect(await reportFromFragment("#results")).toBeNull();
});

/** Bytes as an address would hold them. */
async function packed(text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

test("a hostile address gets a message", async () => {
  const whole = await reportToFragment(small);
  const hostile: [fragment: string, message: string][] = [
    [whole.slice(0, -40), "the report in the address: expected compressed text"],
    ["#report=", "the report in the address: expected compressed text"],
    ["#report=<script>", "the report in the address: expected base64url"],
    ["#report=AAAAA", "the report in the address: expected base64url"],
    [`#report=${"A".repeat(200_000)}`, "the report in the address: expected at most 100000 bytes"],
    [`#report=${await packed("{}")}`, 'the report in the address.format: expected "heed-device"'],
    // 8 KB that unpack to 8 MB.
    [`#report=${await packed(" ".repeat(8e6))}`, "expected at most 100000 bytes, got more"],
  ];
  for (const [fragment, message] of hostile) {
    const opened = reportFromFragment(fragment);
    await expect(opened).rejects.toThrow(InvalidInputError);
    await expect(opened).rejects.toThrow(message);
  }
});
