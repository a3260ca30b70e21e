/** A person's name in the one form in which names are compared: no blanks around it, composed Unicode (NFC). */
export const personName = (text: string): string => text.normalize("NFC").trim();
