// Bugs of the package cache, one line each, which its tests have to notice: `pnpm mutants cache`.

const bugs = (file, list) =>
  list.map(([bug, from, to]) => ({ kind: bug, file: `packages/cache/src/${file}`, from, to }));

/** @type {readonly { kind: string, file: string, from: string, to: string }[]} */
export const cacheBugs = [
  ...bugs("state/static.ts", [
    [
      "tokens go one row late",
      "slots[b * n + i] = length + i;",
      "slots[b * n + i] = length + i + 1;",
    ],
    ["padding is written like tokens", "i < count; i++) slots", "i < n; i++) slots"],
    [
      "the slots of entry 0 serve all entries",
      "const length = lengths[b] as number;",
      "const length = lengths[0] as number;",
    ],
    [
      "one token more than the capacity is taken",
      "(counts[b] as number) > free",
      "(counts[b] as number) > free + 1",
    ],
    [
      "entries are taken back to the length of the first",
      "this.lengths.set(lengths);",
      "this.lengths.fill(lengths[0] as number);",
    ],
    [
      "a fork is the same state",
      "fork.lengths.set(this.lengths);\n    return fork;",
      "return fork.lengths.length < 0 ? fork : this;",
    ],
    [
      "entries are not reordered",
      "this.lengths.set(taken(this.lengths, indices));",
      "taken(this.lengths, indices);",
    ],
  ]),
  ...bugs("state/state.ts", [
    [
      "a chunk with padding counts as whole if the first entry has none",
      "for (let b = 0; b < counts.length; b++)",
      "for (let b = 0; b < 1; b++)",
    ],
    [
      "padding goes where rows of an earlier append went",
      "return this.#slots.fill(-1);",
      "return this.#slots;",
    ],
  ]),
  ...bugs("state/rolling.ts", [
    [
      "the ring begins before the kept tokens",
      "keep + ((token - keep) % this.#ring)",
      "keep + (token % this.#ring)",
    ],
    ["the first token that stays of a long chunk is left out", "token >= stays", "token > stays"],
    [
      "one token more than the ring holds counts as gone",
      "length + count - this.#ring);\n    }\n  }\n\n  /** Rows of the placement",
      "length + count - this.#ring + 1);\n    }\n  }\n\n  /** Rows of the placement",
    ],
    [
      "one token too many can be taken back",
      "Math.max(keep, length - window)",
      "Math.max(keep, length - window + 1)",
    ],
    [
      "the mask's window is one key short",
      "(firsts[b] as number) + i - window.left)",
      "(firsts[b] as number) + i - window.left + 1)",
    ],
    [
      "rows that were taken back keep their positions",
      "this.#positions[b * capacity + this.#rowOf(token)] = nowhere;\n      }\n    }\n    this.lengths[b] = length;",
      "this.#rowOf(token);\n      }\n    }\n    this.lengths[b] = length;",
    ],
    ["positions are not reordered", "this.#positions = positions;", "positions.fill(0);"],
    [
      "rows of an append that failed keep the positions of what was there",
      "if (slot !== -1) this.#positions[b * capacity + slot] = nowhere;",
      "if (slot !== -1) continue;",
    ],
    [
      "a fork forgets how far back its ring reaches",
      "fork.#low.set(this.#low);",
      "fork.#low.fill(this.#sizes.keep);",
    ],
    [
      "the first token in the ring is restored one late",
      "if (token >= keep && token < low) token = low;\n        if (token < length) this",
      "if (token >= keep && token < low) token = low + 1;\n        if (token < length) this",
    ],
  ]),
  ...bugs("state/paged.ts", [
    [
      "a page that a fork shares is written",
      "pool.users(page) - left > 1",
      "pool.users(page) - left > 2",
    ],
    [
      "the last row of a shared page is not copied",
      "copied.push({ entry: b, index: first - 1, rows });",
      "copied.push({ entry: b, index: first - 1, rows: rows - 1 });",
    ],
    [
      "two entries that leave one page both copy it",
      "leaving.set(page, left + 1);",
      "leaving.set(page, left);",
    ],
    [
      "tokens begin at the first row of a page",
      "page * size + ((length + i) % size)",
      "page * size + (i % size)",
    ],
    [
      "the last page is given back although tokens are left in it",
      "const kept = Math.ceil((lengths[b] as number)",
      "const kept = Math.floor((lengths[b] as number)",
    ],
    [
      "tables of forks do not count as users",
      "if (page !== -1) this.pool.share(page);",
      "if (page < -1) this.pool.share(page);",
    ],
    [
      "a page that was copied is never free again",
      "if (before !== -1) this.pool.leave(before);",
      "if (before < -1) this.pool.leave(before);",
    ],
    [
      "pages of an append that failed are lost",
      "this.pool.leave((pages[i] as NewPage).page);",
      "void (pages[i] as NewPage).page;",
    ],
    [
      "a saved table has the pool's numbers",
      "numbers.get(page) ?? -1",
      "(numbers.has(page) ? page : -1)",
    ],
    [
      "the last page of an entry is saved with one row less",
      "Math.min(size, left)",
      "Math.min(size, left - 1)",
    ],
  ]),
  ...bugs("state/paged.ts", [
    [
      "calls get a table that lacks a new page",
      "this.#table[at] = page;\n      this.#given = null;",
      "this.#table[at] = page;",
    ],
    [
      "calls get the table of before a reorder",
      "this.#table = table;\n    this.#given = null;",
      "this.#table = table;",
    ],
    [
      "a token goes to a page that a fork shares",
      "if (this.pool.users(page) > 1) return null;",
      "if (this.pool.users(page) > 2) return null;",
    ],
    [
      "a token goes behind the last row of a page",
      "row === 0 || row + count > size ||",
      "row === 0 || row + count > size + 1 ||",
    ],
    [
      "tokens within a page may be more than an entry has room for",
      "row + count > size || length + count > this.#maxLength",
      "row + count > size",
    ],
  ]),
  ...bugs("state/state.ts", [
    [
      "calls get the cache's own lengths",
      "this.#given.set(values);\n    return this.#given;",
      "this.#given.set(values);\n    return values;",
    ],
  ]),
  ...bugs("state/rolling.ts", [
    [
      "inputs for queries of one length are written over by those of another",
      "given?.queryLength === queryLength &&",
      "given !== null &&",
    ],
    [
      "inputs with own positions are written over those without",
      " &&\n      given.ownPositions === ownPositions;",
      ";",
    ],
    [
      "kept tokens have the query's position although their own is asked for",
      "if (ownPositions || token >= first",
      "if (token >= first",
    ],
    [
      "a call cannot look less far back than its cache",
      "Math.min(most, this.#sizes.window)",
      "this.#sizes.window",
    ],
  ]),
  ...bugs("state/pool.ts", [
    ["a page is free while one table still names it", "if (left === 0)", "if (left <= 1)"],
  ]),
  ...bugs("memory/rows.ts", [
    [
      "forks of a static cache write into one memory",
      "return this.#users > 1;",
      "return this.#users > 2;",
    ],
    [
      "a fork's memory is released with the first of its users",
      "if (this.#users > 0) return;",
      "if (this.#users > 1) return;",
    ],
    [
      "a reorder leaves the rows where they are",
      "from.subarray(index * size, (index + 1) * size)",
      "from.subarray(entry * size, (entry + 1) * size)",
    ],
    [
      "a copied page of host memory lacks its last row",
      "start, start + rows * ofRow",
      "start, start + (rows - 1) * ofRow",
    ],
    [
      "a copied page of int8 has the scale of its first row",
      "factors[Math.floor(i / size)]",
      "factors[0]",
    ],
    [
      "values of int8 are not copied with their scales",
      "side.scales ? [side.rows, side.scales] : [side.rows]",
      "[side.rows]",
    ],
  ]),
  ...bugs("saved.ts", [
    [
      "all heads are saved with the rows of the first",
      "const start = (from * ofEntry + h * ofHead) * width;",
      "const start = from * ofEntry * width;",
    ],
    [
      "kept tokens are not among the saved options",
      'return kind === "rolling";',
      'return kind === "rolling" && name !== "keep";',
    ],
    [
      "a rotation's interleaving is not saved",
      "return { ...rest, ...(inverse",
      "return { theta: rest.theta, ...(inverse",
    ],
  ]),
  ...bugs("cache.ts", [
    [
      "after a truncate, queries are still those of the latest append",
      "(b) => now[b] as number));\n    this.#chunk = null;",
      "(b) => now[b] as number));",
    ],
    ["a reorder leaves the counts of an uneven append", "counts: taken(counts, order)", "counts"],
    ["a reorder leaves the starts of an uneven append", "}, taken(starts, order));", "}, starts);"],
    [
      "keys are rotated from position 0 at each append",
      "const start = this.#state.lengths[b] as number;",
      "const start = 0;",
    ],
    [
      "an append that failed on a device keeps its place",
      "this.#state.abandon(this.#placement as Placement);",
      "",
    ],
    ["a fork does not know the latest append", "fork.#chunk = this.#chunk;", ""],
  ]),
  ...bugs("read-append.ts", [
    [
      "an append without lengths has the counts of the one before",
      "repeats.length !== batch || repeats[0] !== value",
      "repeats.length !== batch",
    ],
  ]),
  ...bugs("tasks.ts", [
    ["a task begins while another is under way", "this.#busy = true;", ""],
    [
      "no task begins after one that failed",
      "this.#failed(error);\n    this.#end();\n    throw error;",
      "this.#failed(error);\n    throw error;",
    ],
  ]),
  ...bugs("writes.ts", [
    [
      "keys that are still being written are not waited for",
      "if (this.#keys !== null) return this.#keys.then(this.#end);",
      "",
    ],
    [
      "an error of the keys is not told",
      "this.#failure ??= { error };\n    this.#endKeys();",
      "this.#endKeys();",
    ],
    [
      "an error is told again by the next append",
      "this.#failure = null;\n    this.#keys =",
      "this.#keys =",
    ],
  ]),
];
