import fc from "fast-check";
import { expect, it } from "vitest";
import type { RowImage } from "../ports/record-store.ts";
import { imagesOf, imagesText } from "./row-images.ts";

it("rows of any kinds and columns are read back from their text unchanged and in their order", () => {
  const image: fc.Arbitrary<RowImage> = fc.record({
    kind: fc.constantFrom("trade", "position", "price", "daily_pnl"),
    aggregate: fc.string(),
    values: fc.dictionary(
      fc.constantFrom("symbol", "quantity", "mark", "1"),
      fc.option(fc.string({ unit: "binary" })),
      { noNullPrototype: true },
    ),
    multiplier: fc.string(),
  });
  fc.assert(
    fc.property(fc.array(image), (images) => {
      expect(imagesOf(imagesText(images))).toEqual(images);
    }),
  );
});
