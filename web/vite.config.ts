import { defineConfig } from "vite";

// A test runner's NODE_ENV would build React with its checks for developers.
process.env.NODE_ENV = "production";

/**
 * Builds the page into `dist/web`. `./run build` passes another folder with `--outDir`, so that a build that
 * fails leaves `dist/` unchanged.
 */
export default defineConfig({
  root: import.meta.dirname,
  // Addresses are relative, so that a proxy can serve the page below a path of its own.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    // An inlined file has a data: address, which the page's content security policy does not permit.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      // "use client" marks files for servers that render pages; this page has none.
      onLog: (level, log, report) => {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
});
