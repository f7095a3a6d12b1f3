/**
 * Consistency of a model's facts in the routing file, among themselves and with the catalogue.
 * A rule about routes or aliases belongs in models.ts.
 */
import type { KnownFacts } from "../domain/facts";
import { promptNamed } from "../domain/prompts";
import { taskNamed } from "../domain/task-words";
import { catalogueEntryNamed, catalogueFacts } from "./catalogue";
import { shownName } from "./expected";
import { below, type Problem } from "./problem";
import type { CheckedProviders } from "./providers";
import type { ModelEntry } from "./schema-models";
import type { Tree } from "./tree";

export interface Look {
  readonly tree: Tree;
  readonly providers: CheckedProviders;
  readonly problems: Problem[];
  readonly notes: Problem[];
}

export interface Entry {
  readonly id: string;
  readonly pointer: string;
  readonly model: ModelEntry;
}

/** USD per million tokens. */
const PRICE_USUAL_MAX = 5;
const PRICE_UNUSUAL =
  "more than 5 USD per million tokens is far more than embeddings cost; is it a price per billion tokens?";

const LIMIT_UNKNOWN =
  "has no effect until the provider's error or a measurement shows the model's input limit, which is unknown here; set max_input_tokens";

/** At any provider. */
const ofTheModel = (model: string) => {
  const facts = catalogueEntryNamed(model)?.facts;
  return facts?.tokenizer && facts.max_input_tokens;
};

export function checkFacts({ id, pointer, model }: Entry, { tree, providers, problems, notes }: Look): void {
  if (model.price !== undefined && model.price > PRICE_USUAL_MAX) {
    notes.push(tree.problem(below(pointer, "price"), PRICE_UNUSUAL));
  }
  const allowedPlace = below(pointer, "dimensions_allowed");
  const own = model.dimensions_allowed;
  if (own !== undefined && !Array.isArray(own) && own.min > own.max) {
    problems.push(tree.problem(below(allowedPlace, "min"), "min is larger than max; swap the two"));
    return;
  }
  const [route] = model.routes ?? [];
  const plugin = route && providers.pluginIds.get(route.provider);
  const known = route && plugin !== undefined ? catalogueFacts(plugin, route.model ?? id) : undefined;
  const limit = model.max_input_tokens ?? known?.max_input_tokens ?? ofTheModel(route?.model ?? id);
  const { long_input = "reject" } = model;
  if (route && long_input !== "reject" && limit === undefined)
    notes.push(tree.problem(below(pointer, "long_input"), LIMIT_UNKNOWN));
  checkDimensions(pointer, model, { ...known, ...model }, tree, problems);
  const ofModel = catalogueEntryNamed(route?.model ?? id)?.facts;
  checkPrompts(pointer, model, { ...ofModel, ...known, ...model }, tree, problems, notes);
}

/** A prompt that is added to texts by default must be named, and must exist. */
function checkPrompts(
  pointer: string,
  own: KnownFacts,
  { prompts, default_task }: KnownFacts,
  tree: Tree,
  problems: Problem[],
  notes: Problem[],
): void {
  if (default_task === undefined || prompts === false) return;
  const name = promptNamed(default_task, prompts ?? {});
  if (own.default_task !== undefined) {
    const place = below(pointer, "default_task");
    // A provider may have a word for it if there are no prompts.
    const isWord = prompts === undefined && taskNamed(default_task) !== undefined;
    if (name !== undefined || isWord) return;
    const known = prompts && Object.keys(prompts).join(", ");
    const expected =
      known === undefined ? "no task" : `not one of the model's prompts; expected one of ${known}`;
    const message = `${shownName(tree, place, default_task)} is ${expected}`;
    problems.push(tree.problem(place, message));
  } else if (name !== undefined) {
    const message = `the model needs a prompt before every text: requests without a task get the prompt of ${name} (default_task); set prompts: false to send texts unchanged`;
    notes.push(tree.problem(pointer, message, "key"));
  }
}

function checkDimensions(
  pointer: string,
  own: KnownFacts,
  facts: KnownFacts,
  tree: Tree,
  problems: Problem[],
): void {
  const { dimensions, dimensions_allowed: allowed } = facts;
  if (dimensions === undefined || allowed === undefined || facts.dimensions_policy === "truncate") return;
  // The catalogue is consistent with itself.
  if (own.dimensions === undefined && own.dimensions_allowed === undefined) return;
  const fits = Array.isArray(allowed)
    ? allowed.includes(dimensions)
    : dimensions >= allowed.min && dimensions <= allowed.max;
  if (fits) return;
  const sizes = Array.isArray(allowed) ? allowed.slice(0, 20).join(", ") : `${allowed.min} to ${allowed.max}`;
  const key = own.dimensions === undefined ? "dimensions_allowed" : "dimensions";
  const source = own.dimensions_allowed === undefined ? "the catalogue's sizes" : "dimensions_allowed";
  const hidden = [...tree.written.keys()].some((place) => place.startsWith(`${pointer}/dimensions`));
  const message = hidden
    ? "the model's dimensions are not one of dimensions_allowed"
    : `the model has ${dimensions} dimensions, which is not one of ${source} (${sizes})`;
  problems.push(tree.problem(below(pointer, key), message));
}
