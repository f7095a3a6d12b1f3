/**
 * Which URLs have answered: a 404 of one of those says that the model there is gone, or the server behind it, not that `base_url` is wrong.
 * They are known by their path; what stands in a query is none.
 */
export interface AnsweringUrls {
  add(url: string): void;
  has(url: string): boolean;
}

/** At some vendors the model stands in the path, and callers choose the names that come under a pattern: the oldest are forgotten. */
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

const pathOf = (url: string) => url.split("?", 1).join();
