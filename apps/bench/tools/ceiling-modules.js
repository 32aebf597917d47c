// Assembles the modules of src/ceiling into src/ceiling/generated/modules.ts: they are a few hundred
// bytes that change when this file does, so they are kept in the repository and a test compares them.
// `node tools/ceiling-modules.js` in apps/bench writes them anew.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import initWabt from "wabt";

// 12 accumulators and 2 operands: enough to hide a multiply's and an add's latency one after the
// other on two ports, and few enough for 16 vector registers.
const accumulators = 12;
// Halves the loop's own cost; at 4, older V8 releases begin to spill.
const unroll = 2;

/** Text of a loop of multiply-adds in registers; `run(iterations, seed)`. */
function arithmetic(multiplyAdd) {
  const names = Array.from({ length: accumulators }, (_, i) => `$a${i}`);
  const step = names.map((a) => `(local.set ${a} ${multiplyAdd(`(local.get ${a})`)})`).join("\n");
  const sum = names.map((a) => `(local.get ${a})`).reduce((x, y) => `(f32x4.add ${x} ${y})`);
  return `(module (func (export "run") (param $n i32) (param $seed f32) (result f32)
    (local $x v128) (local $y v128) ${names.map((a) => `(local ${a} v128)`).join(" ")}
    ;; a = a/2 + seed stays finite and normal however long it runs
    (local.set $x (f32x4.splat (f32.const 0.5)))
    (local.set $y (f32x4.splat (local.get $seed)))
    ${names.map((a, i) => `(local.set ${a} (f32x4.splat (f32.const ${i + 1})))`).join("\n")}
    (loop $again
      ${Array(unroll).fill(step).join("\n")}
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (f32x4.extract_lane 0 ${sum})))`;
}

/** Text of a sum over an imported memory's first bytes; `run(bytes)`, a multiple of 128. */
function read() {
  const lanes = [0, 1, 2, 3, 4, 5, 6, 7];
  const names = lanes.slice(0, 4).map((i) => `$s${i}`);
  const load = (i) => `(v128.load offset=${16 * i} (local.get $p))`;
  const add = (i) =>
    `(local.set ${names[i % 4]} (v128.xor (local.get ${names[i % 4]}) ${load(i)}))`;
  const sum = names.map((s) => `(local.get ${s})`).reduce((x, y) => `(v128.xor ${x} ${y})`);
  return `(module (import "env" "memory" (memory 1))
    (func (export "run") (param $end i32) (result i32)
    (local $p i32) ${names.map((s) => `(local ${s} v128)`).join(" ")}
    (loop $again
      ${lanes.map(add).join("\n")}
      (br_if $again (i32.lt_u
        (local.tee $p (i32.add (local.get $p) (i32.const 128))) (local.get $end))))
    (i32x4.extract_lane 0 ${sum})))`;
}

const modules = {
  multiplyThenAdd: arithmetic((a) => `(f32x4.add (f32x4.mul ${a} (local.get $x)) (local.get $y))`),
  fusedMultiplyAdd: arithmetic((a) => `(f32x4.relaxed_madd ${a} (local.get $x) (local.get $y))`),
  streamingRead: read(),
};

/** The text of the generated file. */
export async function generate() {
  const wabt = await initWabt();
  const assemble = ([name, text]) => {
    const module = wabt.parseWat(name, text, { simd: true, relaxed_simd: true });
    const { buffer } = module.toBinary({});
    module.destroy();
    return `export const ${name}: string =\n  "${Buffer.from(buffer).toString("base64")}";\n`;
  };
  return [
    "// Written by tools/ceiling-modules.js. Do not edit.",
    "",
    "/** Operations of one iteration of the arithmetic modules: multiplies and adds of four lanes. */",
    `export const flopsPerIteration: number = ${accumulators * unroll * 4 * 2};`,
    "",
    ...Object.entries(modules).map(assemble),
  ].join("\n");
}

const [, script] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../src/ceiling/generated/modules.ts", import.meta.url), await generate());
}
