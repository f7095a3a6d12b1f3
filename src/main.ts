/**
 * Where the program starts. What must come before all else is here; the command line is in command-line.ts, which is read only then.
 */
import { startWithOptions } from "./machine/collector-options";

startWithOptions();
const { main } = await import("./command-line");
main(Bun.argv.slice(2));
