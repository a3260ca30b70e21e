/**
 * A person's name in the form used for comparisons: without surrounding blanks, in composed Unicode (NFC).
 */
export const personName = (text: string): string => text.normalize("NFC").trim();
