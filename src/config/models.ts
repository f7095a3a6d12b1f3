/**
 * Rules for a model's entry beyond its schema: routes that exist, one space, aliases without circles, consistent facts.
 * Each rule is a function that adds its problems; a new rule is one more, called from `checkModels`.
 */

import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { controlIn } from "../domain/control-characters";
import { nearestName } from "../domain/nearest";
import { catalogueEntryNamed, catalogueFacts } from "./catalogue";
import { quoted, shownName } from "./expected";
import type { GatewayConfig } from "./gateway-config";
import { checkFacts, type Entry, type Look } from "./model-facts";
import { below, MOST_PROBLEMS, readablePath } from "./problem";
import { entriesOf } from "./providers";
import { ModelEntry, RouteEntry } from "./schema-models";

const MOST_ALIASES_IN_A_ROW = 20;

/**
 * @param section the value of `models`, whatever it is
 * @returns its entries, as far as they are valid
 */
export function checkModels(section: unknown, look: Look): readonly Entry[] {
  const ids = new Set(entriesOf(section).map(([id]) => id));
  const wrongKeys = look.problems.map((problem) => problem.path);
  const entries: Entry[] = [];
  for (const [id, written] of entriesOf(section)) {
    const pointer = below("/models", id);
    if (look.problems.length > MOST_PROBLEMS) return entries;
    checkId(id, pointer, look);
    for (const [i, route] of routesOf(written).entries()) {
      if (Value.Check(RouteEntry, route)) checkRoute(id, below(below(pointer, "routes"), i), route, look);
    }
    const model = soundPart(written);
    if (model !== undefined) entries.push({ id, pointer, model });
  }
  const aliases = new Map<string, string>();
  for (const { id, model } of entries) if (model.alias_of !== undefined) aliases.set(id, model.alias_of);
  for (const entry of entries) {
    if (look.problems.length > MOST_PROBLEMS) return entries;
    const path = readablePath(entry.pointer);
    checkPurpose(
      entry,
      wrongKeys.some((wrong) => wrong.startsWith(path)),
      look,
    );
    checkAlias(entry, ids, aliases, look);
    checkRoutesTogether(entry, look);
    checkFactsTogether(entry, look);
    checkFacts(entry, look);
  }
  return entries;
}

/** Routes are checked one by one, so that an error elsewhere in the model hides nothing in them. */
function routesOf(written: unknown): readonly unknown[] {
  const routes = Object.fromEntries(entriesOf(written)).routes;
  return Array.isArray(routes) ? routes : [];
}

/** The keys with valid values: the others are reported already, and must not hide anything. */
function soundPart(written: unknown): ModelEntry | undefined {
  if (typeof written !== "object" || written === null || Array.isArray(written)) return undefined;
  const properties: Readonly<Record<string, TSchema>> = ModelEntry.properties;
  const sound = Object.fromEntries(
    Object.entries(written).filter(([key, value]) => {
      const schema = properties[key];
      return schema !== undefined && Value.Check(schema, value);
    }),
  );
  return Value.Check(ModelEntry, sound) ? sound : undefined;
}

function checkId(id: string, pointer: string, { tree, problems }: Look): void {
  if (id === "" || id.length > 256 || /[\s\p{Cc}]/u.test(id) || controlIn(id) !== undefined) {
    problems.push(tree.problem(pointer, "a model's id is 1 to 256 characters without spaces", "key"));
  }
  if (id.split("*").length > 2) {
    problems.push(tree.problem(pointer, "a pattern has one *, which matches any text", "key"));
  }
}

function checkRoute(
  id: string,
  pointer: string,
  route: RouteEntry,
  { tree, providers, problems }: Look,
): void {
  if (!providers.names.has(route.provider)) {
    const place = below(pointer, "provider");
    const known = [...providers.names];
    const near = nearestName(route.provider, known);
    const meant = near === undefined ? listed("configured", known) : `did you mean "${near}"?`;
    problems.push(
      tree.problem(place, `unknown provider ${shownName(tree, place, route.provider)}; ${meant}`),
    );
  }
  const stars = (route.model ?? "").split("*").length - 1;
  if (stars > 1 || (stars === 1 && !id.includes("*"))) {
    const message =
      "a route's model has at most one *, and only under a pattern: it is replaced by what the pattern's * matched";
    problems.push(tree.problem(below(pointer, "model"), message));
  }
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `none is ${what}`;
  return `${what} are ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`;
}

/** A model has routes, or is an alias, or cannot embed: one of the three. */
function checkPurpose({ pointer, model }: Entry, hasWrongKeys: boolean, { tree, problems }: Look): void {
  const { routes, alias_of, embeddings } = model;
  if (alias_of !== undefined) {
    // What an alias sets itself would never be used; with a price that would be money.
    const others = Object.keys(model).filter((key) => key !== "alias_of");
    for (const key of others) {
      const message = `an alias takes all settings from ${shownName(tree, below(pointer, "alias_of"), alias_of)}; remove this key, or alias_of`;
      problems.push(tree.problem(below(pointer, key), message, "key"));
    }
  } else if (embeddings === false && routes !== undefined) {
    const message = "a model that cannot embed (embeddings: false) has no routes; remove one of the two";
    problems.push(tree.problem(below(pointer, "routes"), message, "key"));
  } else if (embeddings !== false && routes === undefined && !hasWrongKeys) {
    // An invalid key may be the very one that is missing here.
    const message =
      "has neither routes nor alias_of nor embeddings: false; add one of them, such as routes: [ { provider: … } ]";
    problems.push(tree.problem(pointer, message, "key"));
  }
}

/** @param named the value of `server.default_model`, whatever it is @param section the value of `models` */
export function checkDefaultModel(
  named: unknown,
  section: unknown,
  { tree, problems }: Pick<Look, "tree" | "problems">,
): void {
  if (typeof named !== "string" || named === "") return;
  const ids = entriesOf(section).map(([id]) => id);
  if (ids.some((id) => id === named || matches(id, named))) return;
  const place = "/server/default_model";
  const near = nearestName(named, ids);
  const meant = near === undefined ? "expected an id under models" : `did you mean "${near}"?`;
  problems.push(tree.problem(place, `unknown model ${shownName(tree, place, named)}; ${meant}`));
}

function checkAlias(
  { id, pointer, model }: Entry,
  ids: ReadonlySet<string>,
  aliases: ReadonlyMap<string, string>,
  look: Look,
): void {
  const { tree, problems } = look;
  const target = model.alias_of;
  if (target === undefined) return;
  const place = below(pointer, "alias_of");
  if (id.includes("*")) {
    problems.push(tree.problem(place, "a pattern cannot be an alias; give it routes"));
  } else if (target === id) {
    problems.push(tree.problem(place, "an alias of itself; name another model, or give it routes"));
  } else if (target.includes("*")) {
    problems.push(tree.problem(place, "an alias names one model, not a pattern"));
  } else if (!ids.has(target)) {
    if ([...ids].some((pattern) => matches(pattern, target))) return;
    const known = [...ids].filter((other) => other !== id);
    const near = nearestName(target, known);
    const meant = near === undefined ? "expected another id under models" : `did you mean "${near}"?`;
    problems.push(tree.problem(place, `unknown model ${shownName(tree, place, target)}; ${meant}`));
  } else {
    checkChain(id, place, aliases, look);
  }
}

/** Follows an alias to its end: a circle is reported once, at the first of its ids in the file. */
function checkChain(id: string, place: string, aliases: ReadonlyMap<string, string>, look: Look): void {
  const chain = new Set([id]);
  for (let next = aliases.get(id); next !== undefined; next = aliases.get(next)) {
    if (next === id) {
      const [first] = [...aliases.keys()].filter((alias) => chain.has(alias));
      if (first !== id) return;
      const circle = [...chain, id].map((name) => quoted(name)).join(" → ");
      look.problems.push(look.tree.problem(place, `circular aliases: ${circle}; one of them needs routes`));
      return;
    }
    // A circle further on is reported at its own place.
    if (chain.has(next)) return;
    chain.add(next);
    if (chain.size > MOST_ALIASES_IN_A_ROW) {
      const message = `more than ${MOST_ALIASES_IN_A_ROW} aliases in a row; name the model itself`;
      look.problems.push(look.tree.problem(place, message));
      return;
    }
  }
}

/** Whether an id is one that a pattern takes. */
export function matches(pattern: string, id: string): boolean {
  const star = pattern.indexOf("*");
  if (star === -1) return false;
  const before = pattern.slice(0, star);
  const after = pattern.slice(star + 1);
  return id.length >= before.length + after.length && id.startsWith(before) && id.endsWith(after);
}

function checkRoutesTogether({ id, pointer, model }: Entry, look: Look): void {
  const { tree, problems } = look;
  const routes = model.routes ?? [];
  const seen = new Map<string, number>();
  let first: string | undefined;
  for (const [i, route] of routes.entries()) {
    const place = below(below(pointer, "routes"), i);
    const upstream = route.model ?? id;
    const same = seen.get(JSON.stringify([route.provider, upstream]));
    if (same !== undefined) {
      const message = `the same provider and model as routes[${same}]; remove one of the two`;
      problems.push(tree.problem(place, message));
      continue;
    }
    seen.set(JSON.stringify([route.provider, upstream]), i);
    if (route.space !== undefined && model.space !== undefined && route.space !== model.space) {
      const message = `the model is in the space ${shownName(tree, below(pointer, "space"), model.space)}, this route in another; all routes of a model share one space`;
      problems.push(tree.problem(below(place, "space"), message));
      continue;
    }
    const space = route.space ?? model.space ?? spaceByModel(upstream);
    first ??= space;
    if (space !== first) {
      const message =
        "its vectors would be in another embedding space than those of routes[0] and could not be compared with them; make it a separate model, or, if they are the same, set the model's `space`";
      problems.push(tree.problem(place, message));
    }
  }
}

/** What routes of one model cannot have in common, and what they have in common only by the smallest value. */
function checkFactsTogether({ id, pointer, model }: Entry, { tree, providers, problems, notes }: Look): void {
  const known = (model.routes ?? []).map((route) => {
    const pluginId = providers.pluginIds.get(route.provider);
    return pluginId === undefined ? undefined : catalogueFacts(pluginId, route.model ?? id);
  });
  const first = known.find((facts) => facts?.dimensions !== undefined);
  const limits = known.flatMap((facts) => facts?.max_input_tokens ?? []);
  const least = Math.min(...limits);
  for (const [i, facts] of known.entries()) {
    const place = below(below(pointer, "routes"), i);
    const { dimensions, max_input_tokens: limit } = facts ?? {};
    // A route that is reported as being in another space needs no second reason.
    if (problems.some(({ path }) => path === readablePath(place))) continue;
    if (model.dimensions === undefined && dimensions !== first?.dimensions && dimensions !== undefined) {
      const message = `makes ${dimensions} dimensions, another route of the model ${first?.dimensions}; make it a separate model`;
      problems.push(tree.problem(place, message));
    } else if (limit !== undefined && limit === least && Math.max(...limits) > least) {
      if (model.max_input_tokens !== undefined) continue;
      const message = `accepts ${limit} tokens per input, another route of the model ${Math.max(...limits)}: the model's limit is ${limit} on all routes`;
      notes.push(tree.problem(place, message));
    }
  }
}

/** Two names of one model are one space if the catalogue says so; upper and lower case never make another model. */
function spaceByModel(upstream: string): string {
  return (catalogueEntryNamed(upstream)?.model ?? upstream).toLowerCase();
}

/** The patterns among ids, the most specific first: "openai/*" before "*". */
export function patternsAmong(ids: Iterable<string>): string[] {
  return [...ids].filter((id) => id.includes("*")).sort((a, b) => b.length - a.length);
}

/** The key of `models` that matched a request: the model's own, otherwise the most specific pattern. */
export function configuredModel(
  { models }: Pick<GatewayConfig, "models">,
  model: string,
): string | undefined {
  if (models.has(model)) return model;
  return patternsAmong(models.keys()).find((pattern) => matches(pattern, model));
}
