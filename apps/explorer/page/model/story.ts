const who = ["The robot", "The old woman", "My neighbour", "A small child", "The engineer"];
const did = ["picked up", "put down", "looked at", "dropped", "carried home"];
const what = ["the wrench", "the letter", "a heavy box", "the lamp", "her new guitar"];
const why = [
  "because it was heavy.",
  "and then the phone rang.",
  "while the rain fell on the roof.",
  "before anyone could say a word.",
  "so that nobody would find it.",
];

/** Sentences without end, the same each time: subjects and objects return in changing pairs. */
export function* story(): Generator<string, never> {
  // Numbers of a linear congruential generator (Numerical Recipes, 2nd ed., p. 284).
  let state = 1;
  const pick = (among: readonly string[]): string => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return among[Math.floor((state / 2 ** 32) * among.length)] as string;
  };
  for (;;) yield [who, did, what, why].map(pick).join(" ");
}
