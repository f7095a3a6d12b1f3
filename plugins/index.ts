/**
 * The only list of bundled plugins, a line each. A bundled plugin gets nothing that a file named in gateway.yaml would not get.
 */
import type { Plugin } from "../src/plugin";
import bedrock from "./bedrock/index";
import cohere from "./cohere";
import fake from "./fake";
import gemini from "./gemini";
import jina from "./jina";
import local from "./local/index";
import mistral from "./mistral";
import openai from "./openai";
import openrouter from "./openrouter";
import voyage from "./voyage";

export const PLUGINS: Readonly<Record<string, Plugin>> = {
  local,
  openai,
  openrouter,
  gemini,
  bedrock,
  cohere,
  voyage,
  jina,
  mistral,
  fake,
};
