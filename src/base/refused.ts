/** Thrown inside one function to leave it with a refusal; the function catches it and returns the refusal. */
export class Refused<Code extends string> extends Error {
  readonly code: Code;

  constructor(code: Code, because: string) {
    super(because);
    this.code = code;
  }

  /** The refusal as a value. */
  get refusal(): { readonly code: Code; readonly because: string } {
    return { code: this.code, because: this.message };
  }
}
