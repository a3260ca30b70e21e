import { Argument } from "commander";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

const review = () => new Argument("<review>", "the number of a review, or the path of a folder");
const options = [option.fleetConfig(), option.json()];

export const commands: readonly CommandSpec[] = [
  {
    name: "watch review list",
    about: "Lists the changes of files and folders that wait for a person; exits with 1 if there are any",
    example: "watch review list",
    options,
    run: list,
  },
  {
    name: "watch review show",
    about: "Shows the rows of a review, at most a hundred",
    example: "watch review show 3",
    options,
    argument: review(),
    run: show,
  },
  {
    name: "watch review apply",
    about:
      "Accepts a change: a file counts as it is now, both of two similar rows count, a folder that has " +
      "replaced another one is read, or a person has changed the rows in legacy",
    example: "watch review apply 3",
    options,
    argument: review(),
    fixed: { decision: "apply" },
    run: decide,
  },
  {
    name: "watch review ignore",
    about:
      "Leaves the applied rows as they are: reading continues at the end of the present file, the later of " +
      "two similar rows never counts, and a new folder stays refused",
    example: "watch review ignore 3",
    options,
    argument: review(),
    fixed: { decision: "ignore" },
    run: decide,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

async function list(options: Options): Promise<CommandResult> {
  const { listReviews } = await import("../../../app/files/commands.ts");
  const { reviewText, shownReview } = await import("../../../app/files/status.ts");
  const reviews = (await listReviews(options)).map(shownReview);
  const isNone = reviews.length === 0;
  if (options.json) return jsonResult({ reviews }, isNone);
  return {
    exitCode: isNone ? 0 : 1,
    text: isNone ? "nothing waits" : reviews.map(reviewText).map(plain).join("\n"),
  };
}

async function show(options: Options & { readonly review: string }): Promise<CommandResult> {
  const { showReview } = await import("../../../app/files/commands.ts");
  const { reviewText, rowText, shownReview } = await import("../../../app/files/status.ts");
  const found = await showReview(options);
  if (options.json) return jsonResult({ ...shownReview(found), rows: found.rows }, true);
  const rows = found.rows.map(rowText);
  return { exitCode: 0, text: [reviewText(shownReview(found)), ...rows].map(plain).join("\n") };
}

async function decide(
  options: Options & { readonly review: string; readonly decision: "apply" | "ignore" },
): Promise<CommandResult> {
  const { decideReview } = await import("../../../app/files/commands.ts");
  const { shownReview } = await import("../../../app/files/status.ts");
  const { review, outcome } = await decideReview(options);
  const { decision } = options;
  if (options.json) return jsonResult({ review: shownReview(review), decision, outcome }, true);
  const done = decision === "apply" ? "applied" : "ignored";
  return {
    exitCode: 0,
    text: plain(
      outcome === "done"
        ? `review ${review.id} is ${done}`
        : `review ${review.id} will be ${done} by the next process that watches`,
    ),
  };
}
