/**
 * A provider's error message as text that is safe to show: a web page becomes its title, control characters (which could move a terminal's
 * cursor) become blanks, and it is short. Credentials are removed before (redact.ts). This also interprets a provider's 404.
 */

/** At most this many characters of a provider's message. */
const WORDS_MAX = 200;

/** No more of a page is searched: its title is near the start, and a hostile page could keep us busy. */
const PAGE_CHARACTERS = 2_000;
const PAGE = /^\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype|html|head|body|title|center|h1)\b/i;
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  "#39": "'",
  nbsp: " ",
};

/** @param charactersMax less than the default, if less is to be shown */
export function plainWords(text: string, charactersMax = WORDS_MAX): string {
  const words = PAGE.test(text) ? titleOf(text.slice(0, PAGE_CHARACTERS)) : text;
  return words
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
    .slice(0, charactersMax)
    .toWellFormed();
}

function titleOf(page: string): string {
  const heading = elementOf(page, "title")?.within ?? elementOf(page, "h1")?.within;
  const words = heading ?? without(without(page, "script"), "style");
  return words
    .replace(/<[^>]*>?/g, " ")
    .replace(/&(#?\w+);/g, (entity, name: string) => ENTITIES[name] ?? entity);
}

/** The first element with this name: its position and its content. */
function elementOf(page: string, name: string) {
  const lower = page.toLowerCase();
  const from = lower.indexOf(`<${name}`);
  const inner = from === -1 ? -1 : page.indexOf(">", from);
  const end = inner === -1 ? -1 : lower.indexOf(`</${name}`, inner);
  return end === -1 ? undefined : { from, end, within: page.slice(inner + 1, end) };
}

function without(page: string, name: string): string {
  const found = elementOf(page, name);
  return found ? page.slice(0, found.from) + without(page.slice(found.end), name) : page;
}

/**
 * Whether a 404 or a 405 is about the path that was asked for, not about the model: the words of web servers and of embedding servers.
 * FastAPI (infinity-emb 0.0.78, vLLM) "Not Found" in `detail`; Go's net/http (Ollama 0.17.4) "404 page not found"; llama.cpp b11549 "File Not Found";
 * Express "Cannot POST /v1/embeddings"; Fastify "Route POST:/v1/embeddings not found"; OpenAI "Invalid URL (POST /v1/x)"; Kong "no Route
 * matched with those values"; LM Studio "Unexpected endpoint or method"; Flask "The requested URL was not found on the server"; Spring
 * "Not Found" in `error`; axum (TEI), Envoy and ASP.NET nothing at all; a web server's page.
 * @param words the message as it is shown @param body its start, which may contain more than is shown: a code, a parameter's name
 */
export function isAboutPath(status: number, words: string, body = words): boolean {
  if (status === 405) return true;
  if (status !== 404) return false;
  const envelope = objectIn(body);
  // For a page only the title counts. A repeated path says nothing about a model, although it may contain the model's name.
  if (ABOUT_MODEL.test(`${words} ${envelope ? body : ""}`.replace(A_PATH, " "))) return false;
  const said = words.startsWith("{") && envelope ? (sentenceIn(envelope) ?? words) : words;
  return ABOUT_PATH.test(said.trim());
}

/** Whether an API sent it as JSON, or there was no message: then not all of it comes from a web server. */
export const isPlainOfApi = (words: string, body: string) => words === "" || objectIn(body) !== undefined;

const ABOUT_MODEL = /model|deployment/i;
const A_PATH = /(?<![\w.-])\/[^\s"'`)]*/g;

const ABOUT_PATH =
  /^$|^(?:error )?(?:404:? ?)?-? ?(?:the )?(?:requested )?(?:(?:page|file|path|route|url|endpoint|resource) )?(?:was )?(?:not[ _]found|could not be found|does not exist)(?: on th(?:e|is) server)?\.?$|^the requested url .{0,200}not found|^not found: ?\/|^route .{0,200}not found$|^cannot (?:post|get) \/|invalid url \(|no route matched|unexpected endpoint|^no static resource|(?:unknown|no such) (?:endpoint|path|route|url)/i;

function objectIn(body: string): object | undefined {
  if (!/^\s*\{/.test(body)) return undefined;
  try {
    return Object(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** Members of an unknown error envelope, the most informative first (NVIDIA: `title` "Not Found", `detail` "Function 'f': Not found for account"). */
const SENTENCES = ["message", "msg", "detail", "error", "title"];

function sentenceIn(envelope: object): string | undefined {
  const members = new Map<string, unknown>(Object.entries(envelope));
  for (const name of SENTENCES) {
    const said = members.get(name);
    if (typeof said === "string" && said !== "") return said;
    const within = typeof said === "object" && said !== null ? sentenceIn(said) : undefined;
    if (within !== undefined) return within;
  }
  return undefined;
}
