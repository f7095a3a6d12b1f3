/**
 * Base URLs as people write them: with or without the version, with it twice, with the whole path of the call, with an extra slash. A client appends
 * its own path, and the gateway finds the intended one. A new form is a row of FORMS.
 */

interface Form {
  readonly begins: string;
  readonly meant: string;
}

const FORMS: readonly Form[] = [
  { begins: "/v1/v1/", meant: "/v1/" },
  { begins: "/api/v1/v1/", meant: "/v1/" },
  { begins: "/api/v1/", meant: "/v1/" },
  { begins: "/v1/embeddings/", meant: "/v1/" },
  { begins: "/v1/embeddings/", meant: "/" },
  // A base URL that ends with what the client appends anyway: Ollama's /api, Cohere's /v2, Google's /v1beta, Azure's /openai.
  { begins: "/api/api/", meant: "/api/" },
  { begins: "/v2/v2/", meant: "/v2/" },
  { begins: "/v2/v1/", meant: "/v1/" },
  { begins: "/v1beta/v1beta/", meant: "/v1beta/" },
  { begins: "/v1beta/v1/", meant: "/v1/" },
  { begins: "/openai/openai/", meant: "/openai/" },
  { begins: "/openai/v1/v1/", meant: "/openai/v1/" },
  { begins: "/openai/v1/openai/", meant: "/openai/" },
  { begins: "/compatibility/v1/v1/", meant: "/compatibility/v1/" },
  { begins: "/deployments/", meant: "/openai/deployments/" },
  // The whole path of a call.
  { begins: "/api/embed/", meant: "/" },
  { begins: "/v2/embed/", meant: "/" },
  { begins: "/embed/", meant: "/" },
  // Google's and Fireworks' own base URLs for OpenAI's SDKs.
  { begins: "/v1beta/openai/v1/", meant: "/v1/" },
  { begins: "/v1beta/openai/", meant: "/v1/" },
  { begins: "/inference/v1/", meant: "/v1/" },
  { begins: "/v1/", meant: "/" },
  { begins: "/", meant: "/v1/" },
];

/** @param path unknown @returns the paths that it may mean, the most likely first */
export function baseUrlsMeantBy(path: string): readonly string[] {
  const plain = path.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
  const whole = `${plain}/`;
  const meant = FORMS.filter(({ begins }) => whole.startsWith(begins)).map((form) =>
    `${form.meant}${whole.slice(form.begins.length)}`.replace(/(?<=.)\/$/, ""),
  );
  return [...new Set([plain, ...meant])].filter((one) => one !== path);
}
