/** Contract months, January first: the exchange's letters and the three-letter names of dates. */
const monthLetters = "FGHJKMNQUVXZ";
export const monthNames: readonly string[] = [
  "JAN",
  "FEB",
  "MAR",
  "APR",
  "MAY",
  "JUN",
  "JUL",
  "AUG",
  "SEP",
  "OCT",
  "NOV",
  "DEC",
];

export const letterOfMonth = (month: number): string => monthLetters.charAt(month - 1);

/** 1 to 12; 0 for a letter that is not a month. */
export const monthOfLetter = (letter: string): number => monthLetters.indexOf(letter) + 1;

/** 1 to 12; 0 for a name that is not a month. */
export const monthOfName = (name: string): number => monthNames.indexOf(name) + 1;

/** A calendar month as a whole number, for arithmetic on months. */
export const monthIndex = (year: number, month: number): number => year * 12 + month - 1;
export const yearOfIndex = (index: number): number => Math.floor(index / 12);
export const monthOfIndex = (index: number): number => (index % 12) + 1;

/** Whether a month is March, June, September or December, the contract months of all futures. */
export const isQuarterly = (month: number): boolean => month % 3 === 0;

/** The quarterly month at or after an index. */
export const quarterFrom = (index: number): number => index + ((3 - (monthOfIndex(index) % 3)) % 3);
