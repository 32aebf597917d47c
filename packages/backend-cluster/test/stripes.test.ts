import { expect, test } from "vitest";
import { Stripes, stripesFor } from "../src/stripes.js";

test("every row belongs to exactly one part, in order, whatever the sizes", () => {
  for (const length of [0, 1, 2, 7, 12, 29, 64]) {
    for (const parts of [1, 2, 3, 5]) {
      for (const pageSize of [1, 2, 3, 8]) {
        const stripes = new Stripes({ length, pageSize, parts });
        const owners = new Array<number>(length).fill(-1);
        for (let part = 0; part < parts; part++) {
          const indices = [...stripes.indices(part)];
          expect(indices).toHaveLength(stripes.rowsOf(part));
          expect([...indices].sort((a, b) => a - b)).toEqual(indices);
          for (const [own, row] of indices.entries()) {
            expect(owners[row]).toBe(-1);
            owners[row] = part;
            expect([stripes.partOf(row), stripes.ownRow(row)]).toEqual([part, own]);
          }
          for (let end = 0; end <= length; end++) {
            expect(stripes.rowsBefore(part, end)).toBe(indices.filter((row) => row < end).length);
          }
        }
        expect(owners).not.toContain(-1);
      }
    }
  }
});

test("as many workers take part as rows allow, and pages are at most as large as asked for", () => {
  expect(stripesFor(32_768, 3, 256)).toMatchObject({ pageSize: 256, parts: 3 });
  expect(stripesFor(16, 3, 256)).toMatchObject({ pageSize: 6, parts: 3 });
  expect(stripesFor(2, 5, 256)).toMatchObject({ pageSize: 1, parts: 2 });
  expect(stripesFor(0, 5, 256)).toMatchObject({ parts: 1 });
});
