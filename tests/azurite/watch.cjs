// Runs Azurite inside this process and ends with whoever started it.
//
// The starter holds the other end of stdin and never writes to it. When the starter is gone,
// however it went (SIGKILL and statics that are never dropped included), the kernel closes that end
// and this process leaves at once: all it holds is in memory.
"use strict";

process.stdin.on("error", () => process.exit(0));
process.stdin.on("close", () => process.exit(0));
process.stdin.resume();
process.stdout.on("error", () => {});

require("azurite/dist/src/azurite.js");
