// The mask by −10⁹ of TensorFlow's tutorial: a query that may see no key gets the mean of all values,
// or whichever key scores highest; and NaN where a hidden value is NaN.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";

await tf.setBackend("cpu");
const attend = (values) => {
  const logits = tf.add(tf.tensor2d([[1, 2]]), tf.tensor2d([[-1e9, -1e9]]));
  return Array.from(tf.matMul(tf.softmax(logits), tf.tensor2d(values)).dataSync());
};
console.log(attend([[10], [30]]));
console.log(attend([[10], [Number.NaN]]));
