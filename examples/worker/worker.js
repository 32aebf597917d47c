import { createAttention, tensor } from "heed";

const attention = createAttention();

addEventListener("message", async ({ data: { id, query, key, value, shape } }) => {
  try {
    const { output, backend } = await (await attention).run({
      query: tensor(query, shape),
      key: tensor(key, shape),
      value: tensor(value, shape),
      causal: true,
    });
    // The output's memory goes to the page; it is not copied.
    postMessage({ id, backend, output: output.data }, [output.data.buffer]);
  } catch (error) {
    postMessage({ id, error: error.message });
  }
});
