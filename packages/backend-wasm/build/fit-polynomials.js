// Prints the coefficients of assembly/exp2.ts and assembly/tanh.ts: polynomials of least worst relative
// error, by Lawson's iteration (weighted least squares whose weights grow where the error is large).
// `node build/fit-polynomials.js`

/** The function to fit, as factor(x) · polynomial(x) + constant(x), on some points. */
function fit({ target, degree, basis, from, to }) {
  const n = 4000;
  const points = Array.from(
    { length: n },
    (_, i) => (from + to) / 2 - ((to - from) / 2) * Math.cos((Math.PI * (i + 0.5)) / n),
  );
  let weights = points.map(() => 1 / n);
  let coefficients = [];
  let best = { worst: Number.POSITIVE_INFINITY, coefficients };
  for (let iteration = 0; iteration < 400; iteration++) {
    coefficients = leastSquares(points, weights, degree, basis, target);
    const errors = points.map((x) => Math.abs(residual(x, coefficients, basis, target)));
    const worst = Math.max(...errors);
    if (worst < best.worst) best = { worst, coefficients };
    const total = weights.reduce((sum, w, i) => sum + w * errors[i], 0);
    weights = weights.map((w, i) => (w * errors[i]) / total);
  }
  return best;
}

/** (approximation − target) / target, where the approximation is Σ c_k · basis(x, k) plus a fixed part. */
function residual(x, coefficients, basis, target) {
  const { value, fixed } = target(x);
  const sum = coefficients.reduce((s, c, k) => s + c * basis(x, k), fixed);
  return (sum - value) / value;
}

function leastSquares(points, weights, degree, basis, target) {
  const size = degree;
  const rows = Array.from({ length: size }, () => new Array(size + 1).fill(0));
  points.forEach((x, i) => {
    const { value, fixed } = target(x);
    const terms = Array.from({ length: size }, (_, k) => basis(x, k) / value);
    const wanted = (value - fixed) / value;
    for (let r = 0; r < size; r++) {
      for (let c = 0; c < size; c++) rows[r][c] += weights[i] * terms[r] * terms[c];
      rows[r][size] += weights[i] * terms[r] * wanted;
    }
  });
  for (let pivot = 0; pivot < size; pivot++) {
    let largest = pivot;
    for (let r = pivot; r < size; r++) {
      if (Math.abs(rows[r][pivot]) > Math.abs(rows[largest][pivot])) largest = r;
    }
    [rows[pivot], rows[largest]] = [rows[largest], rows[pivot]];
    for (let r = 0; r < size; r++) {
      if (r === pivot) continue;
      const factor = rows[r][pivot] / rows[pivot][pivot];
      for (let c = pivot; c <= size; c++) rows[r][c] -= factor * rows[pivot][c];
    }
  }
  return rows.map((row, r) => row[size] / row[r]);
}

function print(name, { worst, coefficients }) {
  console.log(`${name}: worst relative error ${worst.toExponential(2)} before rounding`);
  for (const c of coefficients) console.log(`  ${Math.fround(c)}`);
}

// 2^x = 1 + x·(c0 + c1·x + …), exactly 1 at 0.
print(
  "exp2 on ±1/2",
  fit({
    target: (x) => ({ value: 2 ** x, fixed: 1 }),
    basis: (x, k) => x ** (k + 1),
    degree: 5,
    from: -0.5,
    to: 0.5,
  }),
);

// tanh x = x + x³·(c0 + c1·x² + …): odd, and relatively exact near 0.
print(
  "tanh on 0 to 0.625",
  fit({
    target: (x) => ({ value: Math.tanh(x), fixed: x }),
    basis: (x, k) => x ** (2 * k + 3),
    degree: 5,
    from: 1e-3,
    to: 0.625,
  }),
);
