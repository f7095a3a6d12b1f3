/** The page's location: `#/requests/req_1?status=failed` is the view "requests", the rest "req_1", and a query. */
import { signal } from "@preact/signals";

export interface Place {
  readonly view: string;
  readonly rest: string;
  readonly query: Readonly<Record<string, string>>;
}

function placeNow(): Place {
  const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/");
  return {
    view: view || "well",
    rest: decodeURIComponent(rest.join("/")),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

export const place = signal<Place>(placeNow());
addEventListener("hashchange", () => {
  place.value = placeNow();
});

/** A URL within the page. */
export function linkTo(
  view: string,
  rest = "",
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  return `#/${view}${rest && `/${encodeURIComponent(rest)}`}${text && `?${text}`}`;
}

export const goTo = (address: string) => {
  location.hash = address;
};
