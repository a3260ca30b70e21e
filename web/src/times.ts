/** Times and ages as text. */

/** An age as text: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. Ages are cut, never rounded up. */
export function ageText(ms: number): string {
  const s = Math.floor(Math.max(0, ms) / 1_000);
  if (s < 10) return `${(Math.floor(Math.max(0, ms) / 100) / 10).toFixed(1)} s`;
  if (s < 60) return `${s} s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  if (s < 3_600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${two(Math.floor(s / 60) % 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s / 3_600) % 24} h`;
}

/** A duration in milliseconds, with decimals only if it is short. */
export const msText = (ms: number): string => ms.toFixed(ms < 10 ? 2 : 0);

/** The desk's time zone, which every time on the page uses. */
const deskZone = "America/Chicago";

const formats = {
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  full: {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  },
} as const;
const formatters = new Map<string, Intl.DateTimeFormat>();

/** An instant as the desk's wall clock shows it, with the zone: `14:03:07 CDT`. */
export function deskTime(instantMs: number, format: keyof typeof formats = "time"): string {
  let formatter = formatters.get(format);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-CA", {
      ...formats[format],
      timeZone: deskZone,
      hourCycle: "h23",
      timeZoneName: "short",
    });
    formatters.set(format, formatter);
  }
  return formatter.format(instantMs).replace(",", "");
}
