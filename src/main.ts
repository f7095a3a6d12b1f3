/**
 * The entry point. It restarts the executable with collector options if necessary, and only then loads the command line (command-line.ts).
 */
import { startWithOptions } from "./machine/collector-options";

startWithOptions();
const { main } = await import("./command-line");
main(Bun.argv.slice(2));
