// The ONNX backend, whose graphs mutants change.
import { onnx } from "@heed/backend-onnx";
import { Probes } from "../suite/probes.js";
import { keyOf, lineOf, Sites } from "./sites.js";

export async function subject() {
  const sites = new Sites();
  const configurations = [
    { name: "cpu", open: () => onnx({ provider: "cpu", threads: 1 }).load() },
  ];
  const probes = await Probes.run(configurations, sites);
  return {
    mutants: [...sites.mutants.values()].map((mutant) => ({
      ...mutant,
      line: lineOf(mutant.site),
    })),
    probes,
    keyOf,
    isInvalid: (failure) => failure.includes("does not take the model"),
    plant: (mutant) => {
      sites.planted = mutant;
      return () => {
        sites.planted = null;
      };
    },
  };
}
