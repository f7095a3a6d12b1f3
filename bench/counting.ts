/**
 * Loaded before the gateway by `bun run bench --count`: at SIGUSR2 it prints how many objects of each type the process holds. Where nothing is
 * collected (BUN_JSC_useGC=0), the difference between two of these is what was made between them.
 */
import { heapStats } from "bun:jsc";

process.on("SIGUSR2", () => console.log(JSON.stringify(heapStats().objectTypeCounts)));
