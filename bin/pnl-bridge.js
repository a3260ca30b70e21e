#!/usr/bin/env node
// Plain old JavaScript, so that a Node that is too old prints the sentence below instead of a syntax error.
var version = process.versions.node.split(".");
var major = Number(version[0]);
var minor = Number(version[1]);
if (!(major >= 24 || (major === 22 && minor >= 18))) {
  process.stderr.write(
    "NODE_UNFIT: pnl-bridge needs Node 22.18 or newer (this is " +
      process.versions.node +
      "); install Node 24, or use ./run in a checkout\n",
  );
  process.exit(2);
}
import("../dist/surfaces/cli/main.js");
