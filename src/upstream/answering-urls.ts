/**
 * Which URLs have answered before: a 404 from such a URL means that the model or the server behind it is gone, not that `base_url` is wrong.
 * Only the path counts, not the query.
 */
export interface AnsweringUrls {
  add(url: string): void;
  has(url: string): boolean;
}

/** Some vendors put the model into the path, and callers choose the names under a pattern, so the oldest are forgotten. */
const REMEMBERED_MAX = 1_000;

export function answeringUrls(): AnsweringUrls {
  const known = new Set<string>();
  return {
    add(url) {
      const path = pathOf(url);
      if (known.has(path)) return;
      known.add(path);
      const [oldest] = known;
      if (known.size > REMEMBERED_MAX && oldest !== undefined) known.delete(oldest);
    },
    has: (url) => known.has(pathOf(url)),
  };
}

function pathOf(url: string): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
