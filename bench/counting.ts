/**
 * `bun run bench --count` loads this before the gateway: at SIGUSR2 it prints how many objects of each type the process has. With garbage
 * collection off (BUN_JSC_useGC=0) the difference between two of these is what was created in between.
 */
import { heapStats } from "bun:jsc";

process.on("SIGUSR2", () => console.log(JSON.stringify(heapStats().objectTypeCounts)));
