import type { App } from "./context.ts";

/** JSON bodies of ordinary routes, for which the numbers in them are numbers. No body is an empty object: what lacks is then named. */
export function readJsonBodies(app: App): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, text, done) => {
    if (text === "") done(null, {});
    else parse(request, text as string, done);
  });
}
