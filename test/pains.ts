/**
 * Known problems of gateways, by number, each with the names of our tests for it. If a test is renamed, its row fails: put the new
 * name here. Problems that wait for a part that does not exist yet are in LATER, with the reason; once the part exists, the row moves up.
 */
export interface Pain {
  readonly what: string;
  /** Files under test/ with the names of tests, or of rows of one, as written there. */
  readonly tested: Readonly<Record<string, readonly string[]>>;
}

const DONE_TO_US = "request/pains.test.ts";
const OPENAI = "contracts/openai.test.ts";
const FAULTS = "request/recall-faults.test.ts";

const SPLIT = "pain 8, 10, 11, 12: 2048 inputs through a provider that takes %d a call come back right";
const FUSED = "pain 4, 5, 6: one vector for several inputs, fused or the others dropped, is never an answer";
const ONE_BY_ONE = "pain 4, 6: a provider that takes one input per call is called once per input";
const NO_COUNT = "pain 5, 25: a usage of %j is never what is shown and billed";

export const PAINS: Readonly<Record<string, Pain>> = {
  1: {
    what: "a provider ignores base64, and an SDK cuts the floats to a quarter",
    tested: {
      [DONE_TO_US]: ["pain 1: a provider that ignores the requested encoding does not decide the caller's"],
      [OPENAI]: ["float and base64 are the same values bit for bit, and float is the default"],
      "plugins/openai-replies.test.ts": [
        "pain 1: a server asked for %s may answer floats or base64, the vector is the same",
      ],
    },
  },
  2: {
    what: "base64 is taken for the type of number called binary",
    tested: {
      [DONE_TO_US]: [
        "pain 2: base64 is a way to write numbers, never another kind of number: the provider's request is the same",
      ],
    },
  },
  3: {
    what: "a partial cache hit returns the vectors of other inputs",
    tested: {
      "request/recall.test.ts": [
        "may be anywhere: only the rest is sent, and each vector is in its own place",
      ],
      [FAULTS]: ["%s, is put in order before it is cached"],
      "cache/cache.test.ts": [
        "whatever happens, a found vector was kept under its key, and what was just kept is found",
      ],
    },
  },
  4: {
    what: "a list is put together into one text: one vector for N",
    tested: { [DONE_TO_US]: [FUSED, ONE_BY_ONE] },
  },
  5: {
    what: "inputs 2 to N are dropped, and usage is -1",
    tested: { [DONE_TO_US]: [FUSED, NO_COUNT], [FAULTS]: ["a vector too few"] },
  },
  6: {
    what: "a list is fused into one vector, and usage is 0",
    tested: {
      [DONE_TO_US]: [FUSED, ONE_BY_ONE],
      "plugins/gemini.test.ts": [
        "pain 6: several texts are one entry each, never several parts of one content",
      ],
    },
  },
  7: {
    what: "a method that the model does not have is answered with a page",
    tested: {
      [DONE_TO_US]: ["pain 7: a web page instead of JSON is a clean 502 that quotes the page's start"],
      "../src/conformance/failures.ts": ["an HTTP error with an HTML body becomes the right error kind"],
    },
  },
  8: { what: "more than 100 texts are refused", tested: { [DONE_TO_US]: [SPLIT] } },
  9: {
    what: "more than 300,000 tokens in a request are refused",
    tested: {
      [DONE_TO_US]: ["pain 9: a call is limited in tokens and in bytes too"],
      "plugins/openai.test.ts": [
        "pain 9: a request over 300,000 tokens is sent again in halves until each is accepted",
        "pain 9: with the limit known, nothing is refused in the first place",
      ],
    },
  },
  10: {
    what: "129 inputs at a cap of 128 are an error",
    tested: {
      [DONE_TO_US]: [SPLIT],
      "plugins/tei.test.ts": [
        "pain 10: a call takes 32 inputs without any setting, and a smaller limit is discovered",
      ],
    },
  },
  11: {
    what: "a vendor's cap on a batch is the caller's to know",
    tested: {
      [DONE_TO_US]: [SPLIT],
      "plugins/native-gateway.test.ts": [
        "pain 11: texts that exceed a call's limit go in several calls, without a refusal",
        "pain 11: an unknown limit is met by halving",
      ],
    },
  },
  12: { what: "caps of 10 and of 64, each known to some client only", tested: { [DONE_TO_US]: [SPLIT] } },
  13: {
    what: "LangChain's token arrays are refused",
    tested: {
      [DONE_TO_US]: [
        "pain 13: token arrays go as ids to the model that owns them, and as text to others, with a header",
      ],
      [OPENAI]: [
        "an array of token ids is one input, decoded for a model that takes text",
        "an array of token arrays is as many inputs",
      ],
    },
  },
  14: {
    what: "base64 is answered with 200 and no data",
    tested: {
      [DONE_TO_US]: ["pain 14: 200 with no data is the provider's failure"],
      "plugins/openai-replies.test.ts": [
        "pain 14: 200 with %s data is an error of the provider's, tried again, never an answer",
      ],
      "plugins/openrouter.test.ts": [
        "pain 14: floats are requested, whatever the route says: base64 gets an empty answer",
      ],
    },
  },
  15: {
    what: "a server does not know the SDK's default, base64",
    tested: {
      "plugins/openai-replies.test.ts": [
        "pain 15: the encoding is always sent, and is the model's own, whatever a server's default is",
      ],
    },
  },
  16: {
    what: "a string where numbers were expected",
    tested: {
      "plugins/openai-replies.test.ts": ["pain 16: a string where numbers were requested is read as base64"],
    },
  },
  17: {
    what: "dimensions are refused, ignored or passed on wrongly",
    tested: {
      [DONE_TO_US]: ["pain 17: unsupported dimensions are refused with the supported ones, and never sent"],
      [OPENAI]: [
        "the model itself makes the dimensions if it can",
        "dimensions that the model does not support are refused, with the allowed ones",
        "if the routing file allows it, smaller dimensions are cut and renormalised",
      ],
    },
  },
  18: {
    what: "a list in the configuration is sent on as it is",
    tested: {
      [DONE_TO_US]: ["pain 18: a list where the routing file wants a word is refused at load, with its line"],
    },
  },
  19: {
    what: "vectors are not normalised, and ranking gets worse without an error",
    tested: {
      [DONE_TO_US]: ["pain 19: vectors that a provider does not normalise get unit length"],
      "plugins/gemini-gateway.test.ts": [
        "pain 19: a shortened vector of gemini-embedding-001 is normalised here; its successor's already is",
      ],
      "execute/assemble.test.ts": [
        "a vector that is cut has unit length again, in the direction of its start",
      ],
    },
  },
  20: {
    what: "a text is cut without a word",
    tested: {
      "plugins/ollama.test.ts": [
        "pain 20: a text that Ollama truncated silently is refused, or reported if truncation is allowed",
      ],
      "request/plan.test.ts": ["with truncate a text over the limit is cut to it, and reported"],
      "request/recall.test.ts": ["is reported as before: truncated, averaged or decoded"],
      "plugins/local/long-input.test.ts": [
        "embeds the first 254 tokens, and says which inputs were cut and what was embedded",
      ],
    },
  },
  21: {
    what: "vectors of a batch differ from those of single texts",
    tested: {
      "plugins/ollama.test.ts": ["pain 21: the vector of a text is the same alone and in a batch"],
      "plugins/local/vectors.test.ts": [
        "change no bit of a vector, whatever the order and the size of the calls",
      ],
    },
  },
  22: {
    what: "one text gives NaN and takes the whole batch with it",
    tested: {
      [DONE_TO_US]: ["pain 22: a text with an invalid vector is named, and nothing of it is cached"],
      [FAULTS]: [
        "base64 of NaN",
        "a batch that fails because of one input keeps the others: the next request sends only the rest",
      ],
      "execute/poison.test.ts": [
        "names the one input, with the provider's message, in few calls, and keeps all the others of its part",
        "500",
        "400 without a word which",
        "a vector that is no number",
      ],
    },
  },
  23: {
    what: "one text that is too long takes the whole batch with it",
    tested: {
      [DONE_TO_US]: ["pain 23: a text that is too long is named before anything is sent"],
      "request/plan.test.ts": ["a text over the limit is refused with its index before anything is sent"],
      "execute/poison.test.ts": ["a context that is too long, of one of them"],
    },
  },
  24: {
    what: "some routes write no row of spending",
    tested: {
      "books/ledger.test.ts": ["counts upstream what providers counted, also for unusable answers"],
      "request/recall-billing.test.ts": [
        "whatever is requested, tokens upstream are the provider's count, and each column adds up",
      ],
    },
  },
  25: {
    what: "a usage that is the vector's length",
    tested: {
      [DONE_TO_US]: ["pain 25: a token count is never the number of vector elements", NO_COUNT],
      [OPENAI]: ["a missing count is estimated, and a header says so"],
    },
  },
  26: {
    what: "a fallback asks for a chat, and the client waits for ever",
    tested: {
      [DONE_TO_US]: [
        "pain 26: a provider that never answers is abandoned at the deadline, and is only called for embeddings",
      ],
      "execute/targets.test.ts": ["at fake-%s goes to the next way at once, and comes through"],
    },
  },
  27: {
    what: "a fallback returns another model's vectors",
    tested: {
      "spaces/spaces.test.ts": ["never returns the second's vectors if they differ, and logs an error"],
      "config/cases/routes-of-two-spaces-are-refused.txt": [],
    },
  },
  28: {
    what: "a model ends for all",
    tested: { "routes/lifecycle.test.ts": ["pain 28: an ended model is reported"] },
  },
  29: {
    what: "input_type does not reach the provider",
    tested: {
      [DONE_TO_US]: ["pain 29: a task that the provider has no word for is reported, not dropped silently"],
      "domain/hints.test.ts": [
        "reaches the provider in its own word, whatever word and field the caller used",
      ],
      "request/recall.test.ts": ["for another input_type, or none"],
      "plugins/native-gateway.test.ts": ["pain 29: to %s the %s %s is sent as %j"],
    },
  },
  30: {
    what: "bulk indexing starves live queries, or the reverse",
    tested: {
      "upstream/lanes.test.ts": [
        "single queries are answered at once beside four batches of 2048 at full load",
        "a batch gets at least a fifth of the places while more queries come than can be served",
      ],
    },
  },
  "seen: a text and the token array it looks like": {
    what: "one cache key for both",
    tested: {
      "request/recall.test.ts": ["the text of a token array"],
      "cache/key.test.ts": ["a text that looks like a token array, and that token array"],
    },
  },
  "seen: an answer out of order, with right indices": {
    what: "it poisons the cache for good",
    tested: { [FAULTS]: ["%s, is put in order before it is cached"] },
  },
  "seen: an error text with the gateway's own key in it": {
    what: "it is handed to the caller",
    tested: {
      [DONE_TO_US]: ["seen: the gateway's own key, repeated by a provider, reaches nobody"],
      "../src/conformance/secrets.ts": [
        "secrets are removed when the vendor's error echoes the request headers",
      ],
    },
  },
  "seen: HTML, an empty body, half a body": {
    what: "it is passed on with 200",
    tested: { [FAULTS]: ["a page", "an empty body", "half a body"] },
  },
  "seen: an answer of a byte a second": {
    what: "it is held open past every timeout",
    tested: { [DONE_TO_US]: ["seen: an answer that trickles in is abandoned at the attempt's timeout"] },
  },
  "seen: the JSON body null": {
    what: "it ends in a 500",
    tested: { "door/bad-bodies.test.ts": ["null"], [FAULTS]: ["null"] },
  },
  "seen: invalid UTF-8": {
    what: "it is embedded as something else",
    tested: { "door/bad-bodies.test.ts": ["bytes that are not UTF-8", "half a surrogate pair"] },
  },
  "seen: one failing request": {
    what: "it becomes nine calls to providers",
    tested: {
      [DONE_TO_US]: ["seen: one failing request makes at most max_attempts calls, whatever retries says"],
    },
  },
  "seen: extra_body.input": {
    what: "it replaces the input",
    tested: {
      [OPENAI]: ["extra_body may not set what the gateway is responsible for"],
      "../src/conformance/wire.ts": [
        "extra_body is merged into the body and overrides nothing the plugin sets",
      ],
    },
  },
  "runner-up: openai-python#2369": {
    what: "an answer without data ends in words about NoneType",
    tested: { [DONE_TO_US]: ["runner-up: an answer without data gets a clear message"] },
  },
  "runner-up: openai-dotnet#938, infinity#349, lmstudio#756": {
    what: "OpenAI's SDK for .NET takes base64 only",
    tested: {
      [OPENAI]: ["float and base64 are the same values bit for bit, and float is the default"],
      "printing/vectors.test.ts": ["both encodings have the same values"],
    },
  },
  "runner-up: litellm#23980": {
    what: "a health check asks a provider that does not know it",
    tested: { [DONE_TO_US]: ["runner-up: a health check calls no provider"] },
  },
  "runner-up: InsForge#1026": {
    what: "a model's size is documented wrongly",
    tested: {
      [DONE_TO_US]: ["runner-up: a model with other dimensions than stated is not served"],
    },
  },
};

/** What is not tested yet, or only in part, and what it waits for. */
export const LATER: Readonly<Record<string, string>> = {
  2: "Titan's `embeddingTypes` itself: comes with the plugin for Bedrock",
  7: "the method of each model (`embedContent`, `predict`): comes with the plugin for Vertex",
  12: "the caps of DashScope and SiliconFlow as facts of the catalogue: come with their entries",
  25: "the count in Bedrock's header: comes with the plugin for Bedrock",
  "runner-up: infinity#519": "packed bits beside `dimensions`: comes with other types of number than float32",
  "runner-up: litellm#31178": "pictures for vLLM: inputs are texts and token ids so far",
  "runner-up: openai-dotnet#938, infinity#349, lmstudio#756":
    "a run of that SDK itself: needs .NET on the test machine",
  "runner-up: FastGPT#6807": "what exactly went wrong there is not known here",
};
