import type { Attention } from "@heed/core";
import { beforeAll, expect, test } from "vitest";
import { attentionOn } from "../../../test/backends.js";
import {
  attentionOperator,
  groupQueryOperator,
  multiHeadDecoder,
  multiHeadOperator,
  packedOperator,
  packedPadding,
} from "./models/operators.js";
import type { TestModel } from "./models/writer.js";
import { compared } from "./runs.js";

let attention: Attention;

beforeAll(async () => {
  attention = (await attentionOn("js")) as Attention;
});

const models: Readonly<Record<string, TestModel>> = {
  "Attention-23 with softcap, past and present": attentionOperator(),
  "MultiHeadAttention with biases and padding": multiHeadOperator(),
  "MultiHeadAttention with a past and a bias of scores": multiHeadDecoder(),
  "GroupQueryAttention, first call": groupQueryOperator(0),
  "GroupQueryAttention with a past": groupQueryOperator(4),
  "com.microsoft.Attention, first call": packedOperator(0),
  "com.microsoft.Attention with a past": packedOperator(4),
  "com.microsoft.Attention with lengths": packedPadding("lengths"),
  "com.microsoft.Attention with a mask": packedPadding("mask"),
};

test.each(Object.entries(models))("%s", async (_, model) => {
  const { result, model: spliced } = await compared(model, attention);
  const [site] = result.sites.values();
  expect(site?.backend, site?.reason).toBe("js");
  expect(site?.weights?.shape).toHaveLength(4);
  expect(site?.inputs?.query.shape).toHaveLength(4);
  expect(spliced.sites[0]).toMatchObject({ heads: 2 });
});

test("what Heed's operators refuse is run by the runtime, which says why", async () => {
  const { result } = await compared(packedPadding("starts"), attention);
  const [site] = result.sites.values();
  expect(site).toMatchObject({ backend: null });
  expect(site?.reason).toContain("key_padding_mask");
});
