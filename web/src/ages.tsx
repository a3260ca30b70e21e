/** How old figures are: the age of a system's answer, and that of its oldest price. */
import { serverNowMs, useTick } from "./clock.ts";
import { ageText } from "./times.ts";
import type { Dashboard } from "./wire.ts";

/** The time since the gateway's instant `since`, ISO 8601, which grows while it is shown. */
export function Age({ since }: { readonly since: string }) {
  useTick();
  return <>{ageText(serverNowMs() - Date.parse(since))}</>;
}

/** The age of the oldest mark of an open position. */
export function MarkAge({ answer }: { readonly answer: Dashboard }) {
  useTick();
  const { markAge, answeredAt } = answer;
  if (markAge === null) return <span className="soft">not known</span>;
  return <>{ageText(markAge + serverNowMs() - Date.parse(answeredAt))}</>;
}
