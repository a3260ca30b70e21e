/** The largest tolerated differences, decimal text: `position` of prices and quantities, `pnl` of money. */
export interface PnlTolerances {
  readonly position: string;
  readonly pnl: string;
}

export const defaultTolerances: PnlTolerances = { position: "0.0001", pnl: "0.01" };

const [positionFields, pnlFields] = [
  ["quantity", "averagePrice", "price"],
  ["realized", "unrealized", "total"],
];

export const tolerancesByField = ({ position, pnl }: PnlTolerances): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(positionFields.map((field) => [field, position])),
  ...Object.fromEntries(pnlFields.map((field) => [field, pnl])),
});
