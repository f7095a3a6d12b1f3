/**
 * The only list of bundled plugins, one line each; every row of openai-hosts.ts is added automatically. A bundled plugin gets nothing that a
 * plugin file named in gateway.yaml would not get.
 */
import type { Plugin } from "../src/plugin";
import azure from "./azure";
import bedrock from "./bedrock/index";
import cohere from "./cohere";
import fake from "./fake";
import gemini from "./gemini";
import jina from "./jina";
import local from "./local/index";
import mistral from "./mistral";
import ollama from "./ollama";
import openai from "./openai";
import { OPENAI_HOST_PLUGINS } from "./openai-hosts";
import openrouter from "./openrouter";
import tei from "./tei";
import vertex from "./vertex";
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
  ollama,
  azure,
  tei,
  ...OPENAI_HOST_PLUGINS,
  vertex,
  fake,
};
