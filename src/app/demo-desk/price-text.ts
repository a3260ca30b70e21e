import { parseDecimal } from "../../base/decimal.ts";
import { formatPrice } from "../../domain/market/price-notation.ts";
import { type DayNumber, dateOfDay } from "../../domain/market/trading-day.ts";
import { productOfRoot } from "../../symbols/index.ts";
import { bloombergOf, frontFuture, type OptionContract } from "./instruments.ts";
import { type Market, sessionMinutes } from "./market.ts";
import type { Session } from "./trading.ts";

/**
 * The text of a futures price file in the old format: 32nds that look like decimals (`110.165` is 110 +
 * 16.5/32), roots as names, an empty last column. Before 16:00, PX_SETTLE is the settlement of the previous
 * session.
 */
export function futuresPrices(market: Market, session: number, minute: number): string {
  const settled = settlement(session, minute);
  const rows = ["ZT", "ZF", "ZN", "ZB"].map((root) => {
    const future = frontFuture(root);
    const texts = [market.price(future, session, minute), market.price(future, ...settled)].map(in32nds);
    return `${productOfRoot(root)?.bloomberg},${texts.join(",")},`;
  });
  rows.push(`RX,${market.bund(session, minute)},${market.bund(...settled)},`);
  return `${["SYMBOL,PX_LAST,PX_SETTLE,", ...rows].join("\n")}\n`;
}

/**
 * The text of an options price file: Bloomberg names, decimal prices; for each expiry the out-of-the-money
 * options first, then those in the money. An expired option has the source's text for a missing value instead
 * of a price.
 */
export function optionPrices(
  market: Market,
  { index, day }: Session,
  minute: number,
  options: readonly OptionContract[],
): string {
  const underlying = market.price(frontFuture("ZN"), index, minute);
  const settled = settlement(index, minute);
  const rows = options.map((option) => {
    const inside = option.right === "C" ? option.strike < underlying : option.strike > underlying;
    const gone = option.expiry < day;
    const last = gone ? notApplicable : decimalText(market.price(option, index, minute));
    const settle = gone ? notApplicable : decimalText(market.price(option, ...settled));
    const moneyness = inside ? "ITM" : "OTM";
    const text = `${bloombergOf(option)},${last},${settle},${americanDate(option.expiry)},${moneyness},,`;
    return { expiry: option.expiry, inside, text };
  });
  rows.sort((a, b) => a.expiry - b.expiry || Number(a.inside) - Number(b.inside));
  const header = "SYMBOL,PX_LAST,PX_SETTLE,EXPIRE_DT,MONEYNESS,,";
  return `${[header, ...rows.map(({ text }) => text)].join("\n")}\n`;
}

const notApplicable = "#N/A Field Not Applicable";

/**
 * The session and minute whose price is the settlement in a file. The first session has no previous
 * settlement and uses its own first minute.
 */
function settlement(session: number, minute: number): [session: number, minute: number] {
  if (minute === sessionMinutes) return [session, minute];
  return session === 0 ? [0, 0] : [session - 1, sessionMinutes];
}

function in32nds(price: number): string {
  const exact = parseDecimal(`${price}`);
  return (exact && formatPrice(exact, "point-32nds")) ?? "";
}

const decimalText = (price: number): string => (Number.isInteger(price) ? `${price}.0` : `${price}`);

function americanDate(day: DayNumber): string {
  const { year, month, date } = dateOfDay(day);
  return `${month}/${date}/${year}`;
}
