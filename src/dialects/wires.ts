/**
 * The only list of wires, a line each: src/door/ opens their paths and describes them.
 */
import { openaiWire } from "./openai";
import type { Wire } from "./wire";
import { bedrockWire } from "./wires/bedrock";
import { geminiWire } from "./wires/gemini";
import { ollamaWire } from "./wires/ollama";

export const WIRES: readonly Wire[] = [openaiWire, geminiWire, bedrockWire, ollamaWire];
