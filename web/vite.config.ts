import { defineConfig } from "vite";

/** Builds the page into `dist/web`. `./run build` names another folder and moves it there. */
export default defineConfig({
  root: import.meta.dirname,
  // Relative addresses, so that a proxy may serve the page below a path of its own.
  base: "./",
  logLevel: "warn",
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    // A file that is inlined as a data: address would need a weaker policy.
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
