/**
 * The only list of APIs for clients, one line each: src/door/ serves and documents their paths.
 */
import { openaiWire } from "./openai-wire";
import type { Wire } from "./wire";
import { azureWire } from "./wires/azure";
import { bedrockWire } from "./wires/bedrock";
import { cohereCompatibilityWire, cohereWire } from "./wires/cohere";
import { geminiWire } from "./wires/gemini";
import { googleWire } from "./wires/google";
import { huggingFaceWire } from "./wires/hugging-face";
import { lmStudioWire } from "./wires/lm-studio";
import { mistralWire } from "./wires/mistral";
import { ollamaWire } from "./wires/ollama";
import { openrouterWire } from "./wires/openrouter";
import { voyageWire } from "./wires/voyage";

export const WIRES: readonly Wire[] = [
  openaiWire,
  azureWire,
  geminiWire,
  googleWire,
  bedrockWire,
  lmStudioWire,
  ollamaWire,
  huggingFaceWire,
  openrouterWire,
  cohereWire,
  cohereCompatibilityWire,
  voyageWire,
  mistralWire,
];
