// TensorFlow's tutorial masks by adding −10⁹: a query that sees no key then gets the mean of all values, or
// the value of the key that scores highest, and NaN if a hidden value is NaN.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";

await tf.setBackend("cpu");
const attend = (values) => {
  const logits = tf.add(tf.tensor2d([[1, 2]]), tf.tensor2d([[-1e9, -1e9]]));
  return Array.from(tf.matMul(tf.softmax(logits), tf.tensor2d(values)).dataSync());
};
console.log(attend([[10], [30]]));
console.log(attend([[10], [Number.NaN]]));
