import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runPnl } from "../../src/app/parity/pnl-run.ts";
import { overSeeds } from "../campaigns.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { header, type ModelTrade, rowOf, symbols } from "./files/model.ts";
import { World } from "./files/world.ts";

/** Returns a generator of numbers below `n`, whose sequence follows from the seed. */
function randomOf(seed: number): (n: number) => number {
  let state = seed * 2_654_435_761;
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((((state ^ (state >>> 13)) >>> 0) / 4_294_967_296) * n) | 0;
  };
}

/** The writers of the disk, and the content of each file that must count by the rules. */
class Desk {
  readonly world: World;
  readonly #draw: (n: number) => number;
  readonly #republished: "quarantine" | "apply";
  /** The content of each file that must count, even after the file was renamed or removed. */
  readonly counted = new Map<string, string>();
  /** The writers' actions in this burst, one step each. */
  #steps: (() => void)[] = [];
  #ids = 0;

  constructor(seed: number) {
    this.#draw = randomOf(seed);
    this.#republished = this.#draw(2) === 0 ? "quarantine" : "apply";
    this.world = new World({
      republished: this.#republished,
      tickMs: this.#draw(3) === 0 ? 2_000 : 1,
      skewMs: (this.#draw(3) - 1) * 86_400_000,
    });
  }

  async burst(): Promise<void> {
    await this.#write();
    this.#heal();
  }

  async #write(): Promise<void> {
    this.#plan();
    const draw = this.#draw;
    while (this.#steps.length > 0) {
      this.world.start(1 + draw(60), draw(2) === 0);
      this.world.stores.fault = (["none", "none", "none", "down", "lost answer"] as const)[draw(5)] ?? "none";
      for (let isDead = false; !isDead && this.#steps.length > 0; ) {
        if (draw(2) === 0) this.#steps.shift()?.();
        this.#fault();
        this.world.clock.advance([0, 1, 100, 600, 1_100, 6_000][draw(6)] ?? 0);
        isDead = await this.world.pass();
      }
    }
  }

  /** Draws new faults: the root may be lost, files may be locked, and the journal's disk may be full. */
  #fault(): void {
    const draw = this.#draw;
    const { disk } = this.world;
    this.world.isJournalFull = draw(12) === 0;
    disk.restore(0);
    if (draw(12) === 0) disk.lose(0, "EIO");
    for (const path of disk.contents(0).keys()) disk.lock(0, path, draw(10) === 0 ? "EBUSY" : undefined);
  }

  #heal(): void {
    const { disk } = this.world;
    disk.restore(0);
    for (const path of disk.contents(0).keys()) disk.lock(0, path, undefined);
  }

  /** Updates the content that must count for each file from the files that are on the disk now. */
  count(): void {
    const there = this.world.disk.contents(0);
    // A last row without a newline never counts if its file is removed before the day is over.
    for (const [name, content] of this.counted)
      if (!there.has(name) && !this.world.isOver(name, content))
        this.counted.set(name, content.slice(0, content.lastIndexOf("\n") + 1));
    for (const [name, bytes] of this.world.disk.contents(0)) {
      const now = new TextDecoder().decode(bytes);
      const whole = (content: string): string => content.slice(0, content.lastIndexOf("\n") + 1);
      const before = this.counted.get(name) ?? "";
      const lines = whole(now).split("\n");
      const hasRows = lines.filter((line) => line !== "").length > 1;
      if (now.startsWith(whole(before)) || (this.#republished === "apply" && hasRows))
        this.counted.set(name, now);
    }
  }

  #plan(): void {
    const draw = this.#draw;
    const { disk } = this.world;
    const names = ["22", "23", "24"].flatMap((day) => [
      `trades_202507${day}.csv`,
      `trades_202507${day}_b.csv`,
    ]);
    const queues: (() => void)[][] = [];
    const taken = new Set<string>();
    for (let count = 1 + draw(3); count > 0; count -= 1) {
      const name = names[draw(names.length)] ?? "";
      if (taken.has(name)) continue;
      taken.add(name);
      const bytes = disk.contents(0).get(name);
      const now = bytes === undefined ? undefined : new TextDecoder().decode(bytes);
      queues.push(this.#writes(name, now, names, taken));
    }
    // The writers of different files take turns at random.
    while (queues.some((queue) => queue.length > 0)) {
      const step = queues[draw(queues.length)]?.shift();
      if (step !== undefined) this.#steps.push(step);
    }
  }

  #writes(
    name: string,
    now: string | undefined,
    names: readonly string[],
    taken: Set<string>,
  ): (() => void)[] {
    const draw = this.#draw;
    const { disk } = this.world;
    if (now === undefined) {
      const source = names[draw(names.length)] ?? "";
      const copied = disk.contents(0).get(source);
      const first =
        draw(3) === 0 && copied !== undefined && !taken.has(source)
          ? new TextDecoder().decode(copied)
          : header + this.#rows(name);
      return this.#pieces(first).map((piece) => () => disk.append(0, name, piece));
    }
    const open = now.endsWith("\n") || now === "" ? now : `${now}\n`;
    switch (draw(9)) {
      case 0:
      case 1:
      case 2: {
        const added = open.slice(now.length) + this.#rows(name);
        return this.#pieces(added).map((piece) => () => disk.append(0, name, piece));
      }
      case 3:
        // The file is written under another name and renamed over the old one.
        return [
          () => {
            disk.write(0, "next.tmp", open + this.#rows(name));
            disk.rename(0, "next.tmp", name);
          },
        ];
      case 4: {
        // The file is saved in place: it is emptied, then written in pieces.
        const pieces = this.#pieces(open + this.#rows(name));
        return [() => disk.truncate(0, name, 0), ...pieces.map((piece) => () => disk.append(0, name, piece))];
      }
      case 5:
        return [() => disk.write(0, name, this.#edited(now))];
      case 6: {
        const added = open.slice(now.length) + this.#rows(name);
        return [
          () => {
            disk.append(0, name, added);
            // The pages are missing for a few looks only, because missing pages count as damage after a
            // minute.
            disk.withhold(0, name, { from: now.length, looks: 1 + draw(3) });
          },
        ];
      }
      case 7:
        return [
          () => disk.holdStat(0, name, 1 + draw(3)),
          () => disk.append(0, name, open.slice(now.length) + this.#rows(name)),
        ];
      default: {
        const to = names.find(
          (other) => !disk.contents(0).has(other) && !taken.has(other) && !this.counted.has(other),
        );
        if (to === undefined || draw(2) === 0) return [() => disk.remove(0, name)];
        taken.add(to);
        return [() => disk.rename(0, name, to)];
      }
    }
  }

  #rows(name: string): string {
    return Array.from({ length: draw3(this.#draw) }, () => this.#row(name)).join("");
  }

  #row(name: string): string {
    const draw = this.#draw;
    if (draw(12) === 0) return "oops,,,\n";
    this.#ids += 1;
    const time = `2025-07-${name.slice(13, 15)} 0${8 + draw(2)}:00:0${draw(5)}`;
    const trade: ModelTrade = {
      id: `${this.#ids}`,
      symbol: symbols[draw(2)] ?? symbols[0],
      time: time.replace("00:00:", "00:00:"),
      side: draw(2) === 0 ? "B" : "S",
      quantity: `${1 + draw(9)}`,
      price: `110.${1 + draw(99)}`,
    };
    // Some rows occur more than once.
    return draw(6) === 0 ? rowOf(trade).repeat(2) : rowOf(trade);
  }

  #edited(content: string): string {
    const lines = content.split("\n");
    const at = 1 + this.#draw(Math.max(1, lines.length - 1));
    if (this.#draw(2) === 0) lines.splice(at, 1);
    else lines.splice(at, 0, ...this.#row("trades_20250722.csv").trimEnd().split("\n"));
    return lines.join("\n");
  }

  /** Divides a text into pieces that end anywhere. */
  #pieces(text: string): string[] {
    const cut = this.#draw(text.length + 1);
    return this.#draw(2) === 0
      ? [text]
      : [text.slice(0, cut), text.slice(cut)].filter((piece) => piece !== "");
  }
}

const draw3 = (draw: (n: number) => number): number => 1 + draw(4);

describe("the file watcher over a disk in memory", () => {
  it("has each row's effect once, whatever writers, faults and crashes occur", async () => {
    await overSeeds("files-sim", 20, async (seed) => {
      const desk = new Desk(seed);
      for (let burst = 0; burst < 6; burst += 1) {
        await desk.burst();
        await desk.world.settle();
        desk.count();
        desk.world.check(desk.counted);
      }
      desk.world.clock.advance(86_400_000);
      await desk.world.settle();
      desk.count();
      desk.world.check(desk.counted);
    });
  });
});

describe.skipIf(!hasSharedData)("the desk's real ledgers", () => {
  it("give the positions that replay gives, however they grow, arrive and are published again", async () => {
    const folder = `${sharedData}/ledgers`;
    const run = await runPnl({ trades: [folder] });
    const known = run.statement.positions.filter(({ currency }) => currency !== "XXX");
    const positions = known
      .map(({ symbol, quantity, realized }) => [` ${symbol}`, quantity, realized])
      .sort();
    const files = readdirSync(folder).map(
      (name) => [name, readFileSync(`${folder}/${name}`, "utf8")] as const,
    );
    await overSeeds("files-sim", 1, async (seed) => {
      const draw = randomOf(seed);
      const world = new World({ republished: "apply" });
      world.clock.advance(60 * 86_400_000);
      const left = files.map(([name, content]) => ({ name, content, at: 0 }));
      // Some files first have the content that another system published under their name.
      for (const name of readdirSync(`${sharedData}/ledgers-module`))
        if (draw(2) === 0) world.disk.write(0, name, readFileSync(`${sharedData}/ledgers-module/${name}`));
      for (; left.length > 0; world.clock.advance(draw(900))) {
        const file = left[draw(left.length)];
        if (file === undefined) continue;
        file.at += draw(2) === 0 ? file.content.length : draw(3_000);
        world.disk.write(0, file.name, file.content.slice(0, file.at));
        if (file.at >= file.content.length) left.splice(left.indexOf(file), 1);
        if (draw(3) === 0) world.start(1 + draw(40));
        if (await world.pass()) world.start(Number.POSITIVE_INFINITY);
      }
      await world.settle();
      const stored = [...world.stores.positions()].map(([name, row]) => [name, row.quantity, row.realized]);
      expect(stored.filter(([, quantity, realized]) => quantity !== "0" || realized !== "0").sort()).toEqual(
        positions.filter(([, quantity, realized]) => quantity !== "0" || realized !== "0"),
      );
    });
  });
});
