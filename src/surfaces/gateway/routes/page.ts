/**
 * Serves the page that is built from `web/`. Its files are read once and served from memory; each is
 * compressed at the first request for it.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { App } from "../context.ts";
import { HttpProblem } from "../problems.ts";

interface PageFile {
  readonly url: string;
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Where a build puts the page: beside the built program, or in `dist/` of a checkout. */
const builtPage = (): string | undefined =>
  ["../../../web/", "../../../../dist/web/"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((folder) => existsSync(join(folder, "index.html")));

/** The page's own policy: everything comes from this gateway, and no other page may show it in a frame. */
const helmet = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
};

/** Serves the files of a folder at `/`. Anybody may read them; the figures are behind the API. */
export const pageRoutes =
  (folder = builtPage()) =>
  async (app: App): Promise<void> => {
    if (folder === undefined) {
      app.get("/", { schema: { hide: true } }, () => {
        throw new HttpProblem(404, "BAD_USAGE", "the page is not built", { fix: "run ./run build" });
      });
      return;
    }
    for (const { url, type, bytes, etag } of await filesOf(folder)) {
      // The names of the other files contain a hash of their content.
      const cache = url === "/" ? "no-cache" : "public, max-age=31536000, immutable";
      let zipped: Promise<Buffer> | undefined;
      app.get(url, { helmet, schema: { hide: true } }, async (request, reply) => {
        reply.headers({ "cache-control": cache, etag, vary: "accept-encoding" }).type(type);
        if (request.headers["if-none-match"] === etag) return reply.code(304).send();
        if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return reply.send(bytes);
        zipped ??= promisify(gzip)(bytes);
        return reply.header("content-encoding", "gzip").send(await zipped);
      });
    }
  };

async function filesOf(folder: string): Promise<readonly PageFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ name, parentPath }) => {
        const path = join(parentPath, name);
        const bytes = await readFile(path);
        const inFolder = path.slice(join(folder, "/").length).replaceAll("\\", "/");
        return {
          url: inFolder === "index.html" ? "/" : `/${inFolder}`,
          type: types[extname(name)] ?? "application/octet-stream",
          bytes,
          etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`,
        };
      }),
  );
}
