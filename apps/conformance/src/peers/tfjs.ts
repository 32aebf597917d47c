import {
  type AttentionProblem,
  bindHeadValues,
  bindPositions,
  tensor,
  toFloat64,
} from "@heed/core";
import { dense, type Peer, type PeerInputs, peerProvider, positionMask } from "./peer.js";

type Tfjs = typeof import("@tensorflow/tfjs-core");

/**
 * TensorFlow.js has no attention. This is how it is composed by hand everywhere: matMul, a mask that
 * adds −10⁹ where it hides, as in TensorFlow's own tutorial on transformers, softmax, matMul.
 */
export default peerProvider("tfjs", async (): Promise<Peer> => {
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-cpu");
  await tf.setBackend("cpu");
  return {
    info: { runtime: "JavaScript", device: "CPU", features: [], threads: 1 },
    lacks: ["float64", "float16", "empty tensors", "sinks", "logSumExp", "scores"],
    kernel: "matMul, softmax, matMul",
    run: async (problem, inputs) => run(tf, problem, inputs),
  };
});

async function run(tf: Tfjs, p: AttentionProblem, inputs: PeerInputs) {
  const group = p.queryHeads / p.kvHeads;
  const heads = [p.batch, p.kvHeads, group] as const;
  const scores = [p.batch, p.queryHeads, p.queryLength, p.keyLength];
  const [output, weights] = tf.tidy(() => {
    const query = tf.tensor(dense<Float32Array>(inputs.query), [
      ...heads,
      p.queryLength,
      p.headDim,
    ]);
    const shared = (size: number): [number, number, number, number, number] => [
      p.batch,
      p.kvHeads,
      1,
      p.keyLength,
      size,
    ];
    const repeat = (data: Float32Array, size: number) =>
      tf.tile(tf.tensor(data, shared(size)), [1, 1, group, 1, 1]);
    const key = repeat(dense(inputs.key), p.headDim);
    const value = repeat(dense(inputs.value), p.valueDim);
    let logits = tf.reshape(tf.mul(tf.matMul(query, key, false, true), p.scale), scores);
    if (p.softcap !== null) logits = tf.mul(tf.tanh(tf.div(logits, p.softcap)), p.softcap);
    if (inputs.bias) {
      const values = Float32Array.from(toFloat64(inputs.bias));
      logits = tf.add(logits, tf.tensor(values, [...inputs.bias.shape]));
    }
    if (p.alibi) logits = tf.sub(logits, tf.tensor(alibi(p, inputs), scores));
    const hide = (seen: ArrayLike<number>, shape: readonly number[]): void => {
      const hidden = Float32Array.from(seen, (visible) => (visible ? 0 : -1e9));
      logits = tf.add(logits, tf.tensor(hidden, [...shape]));
    };
    if (inputs.mask) hide(toFloat64(inputs.mask), inputs.mask.shape);
    if (p.causal || p.window || p.kvLengths) {
      hide(positionMask(p, inputs), [p.batch, 1, p.queryLength, p.keyLength]);
    }
    const soft = tf.softmax(logits);
    const grouped = tf.reshape(soft, [...heads, p.queryLength, p.keyLength]);
    return [tf.matMul(grouped, value), soft] as const;
  });
  const outputShape = [p.batch, p.queryHeads, p.queryLength, p.valueDim];
  const result = {
    output: tensor(Float32Array.from(await output.data()), outputShape),
    ...(p.returns.weights && {
      weights: tensor(Float32Array.from(await weights.data()), scores),
    }),
  };
  output.dispose();
  weights.dispose();
  return result;
}

function alibi(p: AttentionProblem, inputs: PeerInputs): Float32Array {
  const { alibiSlopes } = bindHeadValues(inputs);
  const { offsets } = bindPositions(p, inputs);
  const values = new Float32Array(p.batch * p.queryHeads * p.queryLength * p.keyLength);
  for (let at = 0; at < values.length; at++) {
    const j = at % p.keyLength;
    const row = Math.floor(at / p.keyLength);
    const i = row % p.queryLength;
    const h = Math.floor(row / p.queryLength) % p.queryHeads;
    const b = Math.floor(row / (p.queryLength * p.queryHeads));
    values[at] = (alibiSlopes?.[h] ?? 0) * Math.abs(i + (offsets[b] as number) - j);
  }
  return values;
}
