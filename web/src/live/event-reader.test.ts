import fc from "fast-check";
import { expect, it } from "vitest";
import { eventReader } from "./event-reader.ts";

const stream =
  'retry: 1000\n\nevent: hello\ndata: {"seq":1,"text":"–"}\n\n: a comment\n\nevent: beat\ndata: {"seq":2}\n\n';

it("a stream gives the same events, however it is cut into pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: stream.length })), (cuts) => {
      const read = eventReader();
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
      const events = places.slice(1).flatMap((end, index) => read(stream.slice(places[index], end)));
      expect(events).toEqual([
        { name: "hello", data: { seq: 1, text: "–" } },
        { name: "beat", data: { seq: 2 } },
      ]);
    }),
  );
});

it("data that is not JSON is an error, since an event has been lost", () => {
  expect(() => eventReader()("event: beat\ndata: {\n\n")).toThrow(SyntaxError);
});
