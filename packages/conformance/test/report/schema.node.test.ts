import { toJsonSchema } from "@valibot/to-json-schema";
import { expect, test } from "vitest";
import { documentSchema } from "../../src/report/document.js";

test("the JSON Schema of report.json is what is published", async () => {
  const schema = {
    title: "Heed conformance report, version 1",
    ...toJsonSchema(documentSchema as never),
  };
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../schema/report-1.schema.json");
});
