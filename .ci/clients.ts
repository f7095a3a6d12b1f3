/**
 * Builds the executable, starts it in an empty folder with a key, and runs each real client against it; the last line is `N passed, N failed`.
 * To add a client, add a line to CLIENTS. PYTHON is the path of an interpreter with the packages of .ci/clients.txt.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeAuthority } from "../test/certificates";
import { build } from "./build";

const folder = join(import.meta.dir, "..");
const reference = join(folder, "test/plugins/local/minilm-vectors.json");
const python = process.env.PYTHON ?? "python3";
const client = (name: string) => join(folder, "test/clients", name);

const CLIENTS: Readonly<Record<string, (url: string, key: string, secureUrl: string) => string[]>> = {
  "openai for Python": (url, key) => [python, client("openai_python.py"), url, key, reference],
  "openai for Node": (url, key) => ["node", client("openai_node.mjs"), url, key, reference],
  "openai for Python, batches": (url, key) => [python, client("openai_batch_python.py"), url, key],
  "openai for Node, batches": (url, key) => ["node", client("openai_batch_node.mjs"), url, key],
  "ollama for Python": (url, key) => [python, client("ollama_python.py"), url, key],
  "ollama for Node": (url, key) => ["node", client("ollama_node.mjs"), url, key],
  "huggingface_hub for Python": (url, key) => [python, client("hugging_face_python.py"), url, key],
  "@huggingface/inference for Node": (url, key) => ["node", client("hugging_face_node.mjs"), url, key],
  "AzureOpenAI for Python": (url, key) => [python, client("azure_python.py"), url, key],
  "AzureOpenAI for Node": (url, key) => ["node", client("azure_node.mjs"), url, key],
  "cohere for Python": (url, key) => [python, client("cohere_python.py"), url, key],
  "cohere-ai for Node": (url, key) => ["node", client("cohere_node.mjs"), url, key],
  "google-genai for Python": (url, key) => [python, client("google_python.py"), url, key],
  "@google/genai for Node": (url, key) => ["node", client("google_node.mjs"), url, key],
  "@aws-sdk/client-bedrock-runtime for Node": (url, key) => ["node", client("aws_node.mjs"), url, key],
  "voyageai for Python": (url, key) => [python, client("voyage_python.py"), url, key],
  "voyageai for Node": (url, key) => ["node", client("voyage_node.mjs"), url, key],
  "mistralai for Python": (url, key) => [python, client("mistral_python.py"), url, key],
  "@mistralai/mistralai for Node": (url, key) => ["node", client("mistral_node.mjs"), url, key],
  // It starts its own gateways, and plays Amazon's servers.
  "botocore for Python": () => [python, client("bedrock_botocore.py"), executable],
  // It runs its own bulk job.
  "readers of vectors in Python": () => [python, client("embed_readers.py"), executable],
  "LangChain for Python: Ollama, Hugging Face, OpenAI": (url, key) => [
    ...[python, client("langchain_python.py"), url, key],
  ],
  "LlamaIndex for Python: Ollama, TEI": (url, key) => [python, client("llama_index_python.py"), url, key],
  "Semantic Kernel for Python: Azure, OpenAI, Ollama": (url, key, secureUrl) => [
    ...[python, client("semantic_kernel_python.py"), url, key, secureUrl],
  ],
  "boto3 and LangChain on AWS": (url, key, secureUrl) => [
    ...[python, client("aws_python.py"), url, key, secureUrl],
  ],
  curl: (url, key) => ["bash", client("curl.sh"), url, key],
  // `bun run check` skips them where Python has no `openai`.
  "Python of the docs": () => [
    ...["env", "-C", folder, process.execPath, "test", "test/docs/blocks.test.ts"],
    ...["--timeout=120000", "-t", "python"],
  ],
  schemathesis: (url, key) => schemathesis(url, key, "exclude", 200),
  // These come last, as they may change the key or its workspace, which the other clients need.
  "schemathesis on its own key": (url, key) => schemathesis(url, key, "include", 20),
};

/**
 * Operations that may invalidate the key that calls them, so that all later answers would be 401, 402 or 404, as documented; and a DELETE after
 * which the object exists again, as the space's next reference is taken.
 */
const LEFT_FOR_LAST = [
  "adminForgetSpace",
  "adminRotateKey",
  "adminRevokeKey",
  "adminSetCredits",
  "adminChangeWorkspace",
  "adminRenameWorkspace",
  "adminDeleteWorkspace",
];

/**
 * Sends requests that are valid or invalid by the OpenAPI document, and checks the answers against it. A valid request may still be refused, as
 * its model id is made up.
 */
function schemathesis(url: string, key: string, how: "include" | "exclude", examples: number): string[] {
  return [
    ...[python, "-m", "schemathesis.cli", "--config-file", join(import.meta.dir, "schemathesis.toml")],
    ...["run", new URL("/swagger/json", url).href],
    ...["--max-examples", String(examples), "--seed", "7", "--generation-database", "none"],
    ...LEFT_FOR_LAST.flatMap((operation) => [`--${how}-operation-id`, operation]),
    ...["--exclude-checks", "positive_data_acceptance", "-H", `Authorization: Bearer ${key}`],
  ];
}

const scratch = mkdtempSync(join(tmpdir(), "embedgate-clients-"));
const inScratch = (name: string) => join(scratch, name);
using authority = makeAuthority();
const { cert, key: privateKey } = authority.sign("localhost");
await Bun.write(inScratch("ca.pem"), authority.ca);
await Bun.write(inScratch("cert.pem"), cert);
await Bun.write(inScratch("key.pem"), privateKey);
// The reference vectors were made from texts cut to 256 tokens. The last three ids are for Amazon's clients.
const routingFile = (tls = "") => `
server: { default_model: all-MiniLM-L6-v2${tls} }
providers: { local: { plugin: local } }
models:
  all-MiniLM-L6-v2: { routes: [ { provider: local } ], long_input: truncate }
  "amazon.titan-embed-text-v2:0": { alias_of: all-MiniLM-L6-v2 }
  cohere.embed-english-v3: { alias_of: all-MiniLM-L6-v2 }
  a1b2c3d4e5f6: { alias_of: all-MiniLM-L6-v2 }
`;
await Bun.write(inScratch("gateway.yaml"), routingFile());
// Some clients send a key over https only.
await Bun.write(inScratch("secure.yaml"), routingFile(", tls: { cert: cert.pem, key: key.pem }"));
const executable = await build(inScratch("embedgate"));
const spawned = { cwd: scratch, env: {}, stderr: "inherit", stdin: "ignore" } as const;

const made = Bun.spawn([executable, "keys", "create", "--name", "clients", "--admin", "--json"], {
  ...spawned,
  stdout: "pipe",
});
const { key } = await new Response(made.stdout).json();

async function serve(config: string) {
  const gateway = Bun.spawn([executable, "serve", "--port", "0", "--config", config], {
    ...spawned,
    stdout: "pipe",
  });
  let greeting = "";
  for await (const chunk of gateway.stdout) {
    greeting += new TextDecoder().decode(chunk);
    if (greeting.includes("curl")) break;
  }
  const address = /https?:\/\/[\d.:]+/.exec(greeting)?.[0] ?? "";
  return { gateway, url: `${address.replace("https://127.0.0.1", "https://localhost")}/v1` };
}
const plain = await serve("gateway.yaml");
const secure = await serve("secure.yaml");

let passed = 0;
let failed = 0;
for (const [name, command] of Object.entries(CLIENTS)) {
  const running = Bun.spawn(command(plain.url, key, secure.url), {
    // Files that a client leaves are deleted with this folder.
    cwd: scratch,
    env: { ...process.env, SSL_CERT_FILE: inScratch("ca.pem"), AWS_CA_BUNDLE: inScratch("ca.pem") },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  if ((await running.exited) === 0) passed += 1;
  else {
    failed += 1;
    console.log(`failed: ${name}`);
  }
}
for (const { gateway } of [plain, secure]) {
  gateway.kill("SIGINT");
  if ((await gateway.exited) !== 0) failed += 1;
}
rmSync(scratch, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
