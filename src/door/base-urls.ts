/**
 * Base URLs as people write them: with the version or without, twice, with the whole path of the call, with a slash too many. A client puts
 * its own path behind it, and the gateway finds the path that was meant. A new form is a row of FORMS.
 */

interface Form {
  readonly begins: string;
  readonly meant: string;
}

const FORMS: readonly Form[] = [
  { begins: "/v1/v1/", meant: "/v1/" },
  { begins: "/api/v1/", meant: "/v1/" },
  { begins: "/v1/embeddings/", meant: "/v1/" },
  { begins: "/v1/embeddings/", meant: "/" },
  { begins: "/v1/", meant: "/" },
  { begins: "/", meant: "/v1/" },
];

/** @param path that nobody answers @returns the paths that it may mean, the likeliest first */
export function baseUrlsMeantBy(path: string): readonly string[] {
  const plain = path.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
  const whole = `${plain}/`;
  const meant = FORMS.filter(({ begins }) => whole.startsWith(begins)).map((form) =>
    `${form.meant}${whole.slice(form.begins.length)}`.replace(/(?<=.)\/$/, ""),
  );
  return [...new Set([plain, ...meant])].filter((one) => one !== path);
}
