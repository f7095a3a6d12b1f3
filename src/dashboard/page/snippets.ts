/** The request that was just made, as curl, Python and TypeScript. A further language is a member of SNIPPETS. */

export interface Asked {
  readonly origin: string;
  readonly model: string;
  readonly texts: readonly string[];
  readonly needsKey: boolean;
}

/** Of many lines, the first. */
const TEXTS_SHOWN = 8;

/** Few enough to read, one per line; JSON strings are valid in Python and TypeScript too. */
const list = ({ texts }: Asked, indent: string) =>
  `[\n${texts
    .slice(0, TEXTS_SHOWN)
    .map((text) => `${indent}  ${JSON.stringify(text)}`)
    .join(",\n")}\n${indent}]`;

const shellText = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export const SNIPPETS: readonly (readonly [name: string, write: (asked: Asked) => string])[] = [
  [
    "curl",
    (asked) =>
      [
        `curl ${asked.origin}/v1/embeddings \\`,
        ...(asked.needsKey ? [`  -H "authorization: Bearer $EMBEDGATE_KEY" \\`] : []),
        `  -H 'content-type: application/json' \\`,
        `  -d ${shellText(`{"model": ${JSON.stringify(asked.model)}, "input": ${list(asked, "  ")}}`)}`,
      ].join("\n"),
  ],
  [
    "Python",
    (asked) =>
      [
        "import os",
        "from openai import OpenAI",
        "",
        `client = OpenAI(base_url="${asked.origin}/v1", api_key=${asked.needsKey ? 'os.environ["EMBEDGATE_KEY"]' : '"not needed yet"'})`,
        "answer = client.embeddings.create(",
        `    model=${JSON.stringify(asked.model)},`,
        `    input=${list(asked, "    ")},`,
        ")",
        "vectors = [item.embedding for item in answer.data]",
      ]
        .filter((line) => asked.needsKey || line !== "import os")
        .join("\n"),
  ],
  [
    "TypeScript",
    (asked) =>
      [
        'import OpenAI from "openai";',
        "",
        `const client = new OpenAI({ baseURL: "${asked.origin}/v1", apiKey: ${asked.needsKey ? "process.env.EMBEDGATE_KEY" : '"not needed yet"'} });`,
        "const answer = await client.embeddings.create({",
        `  model: ${JSON.stringify(asked.model)},`,
        `  input: ${list(asked, "  ")},`,
        "});",
        "const vectors = answer.data.map(({ embedding }) => embedding);",
      ].join("\n"),
  ],
];
