/**
 * The only list of wires, a line each: src/door/http.ts opens their paths and src/docs/ describes them.
 */
import { bedrockWire } from "./bedrock";
import { geminiWire } from "./gemini";
import { openaiWire } from "./openai";
import type { Wire } from "./wire";

export const WIRES: readonly Wire[] = [openaiWire, geminiWire, bedrockWire];
