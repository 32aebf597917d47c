import { expect, test } from "vitest";
import { modelRequest } from "../src/model/request.js";
import {
  defaultRequest,
  type RunRequest,
  requestFromParams,
  requestParameters,
  requestToParams,
  workloadsOf,
} from "../src/request.js";
import { customWorkload } from "../src/workloads/generated.js";
import { parseShape } from "../src/workloads/shape.js";

function roundTrip(request: RunRequest): RunRequest {
  return requestFromParams(new URLSearchParams(requestToParams(request).toString()));
}

test("nothing said is everything as by default", () => {
  expect(requestToParams(defaultRequest).toString()).toBe("");
  expect(roundTrip(defaultRequest)).toEqual(defaultRequest);
});

test("everything said comes back", () => {
  const request: RunRequest = {
    cases: ["sweep-length", "vit*"],
    own: [customWorkload(parseShape("H2,L8,D4,causal"), { id: "mine", title: "my & own" })],
    model: modelRequest("models/a b.onnx", {
      name: "mine.onnx",
      random: "batch=2,length=8",
      data: { "more weights = all.bin": "blob:http://localhost/1" },
    }),
    backends: ["js", "wasm@2"],
    peers: ["naive"],
    dtype: "float16",
    threads: 4,
    budget: 250,
    samples: 7,
    ceiling: true,
    timeWrong: true,
    tune: 300,
  };
  const back = roundTrip(request);
  expect({ ...back, own: [] }).toEqual({ ...request, own: [] });
  const names = [...requestToParams(request).keys()];
  expect(names.filter((name) => !requestParameters.has(name))).toEqual([]);
  expect(back.own[0]).toMatchObject({
    id: "mine",
    title: "my & own",
    shape: request.own[0]?.shape,
  });
  expect(workloadsOf(back).at(-1)?.id).toBe("mine");
});

test("a shape alone is measured alone", () => {
  const own = [customWorkload(parseShape("H2,L8,D4"))];
  expect(roundTrip({ ...defaultRequest, cases: [], own }).cases).toEqual([]);
});

test("a model alone is measured alone", () => {
  const model = modelRequest("./model.onnx", { feeds: "./feeds.npz" });
  expect(roundTrip({ ...defaultRequest, cases: [], model })).toMatchObject({ cases: [], model });
  expect(requestFromParams(new URLSearchParams("model=a/b.onnx"))).toMatchObject({
    cases: [],
    model: { file: "a/b.onnx", name: "b.onnx", feeds: null, random: null },
  });
});

test.each([
  ["cases=bertha", "unknown cases bertha"],
  ["backends=cuda", "unknown backends cuda"],
  ["backends=js@2", "js takes no threads"],
  ["peers=torch", "unknown peers torch"],
  ["dtype=int8", "dtype"],
  ["threads=0", "threads"],
  ["budget=soon", "budget"],
  ["own=[", "own"],
  ["own=[7]", "workloads[0]"],
  ['own=["H2,L8,D4","H2,L8,D4"]', "B1,H2,L8,D4 twice"],
  ['own=[{"shape":"H2,L8,D4","id":"bert-base-512"}]', "bert-base-512 twice"],
  ["threads=1000000", "an integer from 1 to 256"],
  ["backends=wasm@1000", "an integer from 1 to 256"],
])("%s is refused, saying why", (params, part) => {
  expect(() => requestFromParams(new URLSearchParams(params))).toThrow(part);
});
