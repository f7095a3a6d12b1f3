/**
 * Reads a request in Google's form: its texts, its model and its settings, each with the field's name as the caller wrote it.
 * What cannot be one request of the gateway is refused: entries with several models or settings, several parts that Google would fuse.
 */
import { invalid } from "../own-words";
import {
  CONFIGS,
  type Content,
  type Entry,
  type GoogleWords,
  type Setting,
  SPELLINGS,
} from "./gemini-schema";

export interface SaidText {
  readonly text: string;
  readonly field: string;
}

export interface Said<Value> {
  readonly value: Value;
  readonly field: string;
}

export interface SaidTexts {
  readonly texts: readonly SaidText[];
  /** The field that contains them. */
  readonly holder: string;
  /** Google answers one content with one embedding, and lists with a list. */
  readonly isSingle: boolean;
}

const SOURCES = ["content", "contents", "requests"] as const;

/** @throws GatewayError invalid if nothing is to be embedded, or it is given twice */
export function textsOf(words: GoogleWords, input: unknown): SaidTexts | undefined {
  const said = SOURCES.filter((name) => (words[name] ?? null) !== null);
  const [first, second] = (input ?? null) === null ? said : ["input", ...said];
  if (first === undefined)
    throw invalid("input", "is missing: send it, or Google's 'content', 'contents' or 'requests'.");
  if (second !== undefined) throw invalid(second, `has inputs, and so has '${first}': send one of them.`);
  const { content, contents, requests } = words;
  if (content) return { texts: [textOf(content, "content")], holder: "content", isSingle: true };
  if (requests)
    return {
      texts: requests.map((entry, i) => textOf(entry.content, `requests[${i}].content`)),
      holder: "requests",
      isSingle: false,
    };
  if (contents === undefined || contents === null) return undefined;
  const texts = Array.isArray(contents)
    ? contents.map((one, i) => textOf(one, `contents[${i}]`))
    : [textOf(contents, "contents")];
  return { texts, holder: "contents", isSingle: false };
}

function textOf(content: string | { readonly text: string } | Content, where: string): SaidText {
  if (typeof content === "string") return { text: content, field: where };
  if ("text" in content) return { text: content.text, field: `${where}.text` };
  const [part, another] = content.parts;
  if (another !== undefined) {
    throw invalid(
      `${where}.parts[1]`,
      "is a second part: Google would fuse both into one embedding, which is not supported here. Send each text as a separate content.",
    );
  }
  return { text: part?.text ?? "", field: `${where}.parts[0].text` };
}

/**
 * The model's id, without Google's `models/` prefix.
 * @param named the value of `model`
 * @param inPath the model in the path
 * @throws GatewayError invalid if entries name other models
 */
export function modelOf(named: unknown, inPath: string | undefined, { requests }: GoogleWords): unknown {
  const own = inPath ?? named ?? undefined;
  const ofEntries = (requests ?? []).map(({ model }, i) => ({ model, field: `requests[${i}].model` }));
  const all = [{ model: named, field: "model" }, ...ofEntries].filter(
    ({ model }) => typeof model === "string",
  );
  const model = bareName(own ?? all[0]?.model);
  const other = all.find((one) => bareName(one.model) !== model);
  if (other !== undefined && typeof model === "string") {
    throw invalid(
      other.field,
      `names another model than the request, which names '${model.slice(0, 200)}': send the same in both.`,
    );
  }
  return model;
}

const bareName = (model: unknown) =>
  typeof model === "string" ? model.replace(/^models\/(?=.)/, "") : model;

export type Settings = Readonly<Partial<Record<Setting, Said<string | number | boolean>>>>;

/** @throws GatewayError invalid if a setting is given twice, or differs between entries */
export function settingsOf(words: GoogleWords): Settings {
  const { requests } = words;
  const found = SETTING_NAMES.map((setting): readonly [Setting, Settings[Setting]] => {
    const ofAll = saidAt(words, "", setting);
    if (!requests) return [setting, ofAll];
    const each = requests.map((entry, i) => saidAt(entry, `requests[${i}].`, setting) ?? ofAll);
    const other = each.findIndex((one) => one?.value !== each[0]?.value);
    if (other !== -1) {
      const field = each[other]?.field ?? `requests[${other}].${setting}`;
      throw invalid(field, "differs from requests[0]: all entries of a request must have the same value.");
    }
    return [setting, each[0]];
  });
  return Object.fromEntries(found.filter(([, said]) => said !== undefined));
}

const SETTING_NAMES = ["task_type", "title", "output_dimensionality", "auto_truncate"] as const;

function saidAt(holder: GoogleWords | Entry, where: string, setting: Setting): Settings[Setting] {
  let said: Said<string | number | boolean> | undefined;
  const places = [{ settings: holder, prefix: where }, ...configsOf(holder, where)];
  for (const { settings, prefix } of places) {
    for (const name of SPELLINGS[setting]) {
      const value = settings[name] ?? undefined;
      // Protobuf's unset value.
      if (value === undefined || value === "TASK_TYPE_UNSPECIFIED") continue;
      const field = `${prefix}${name}`;
      if (said && said.value !== value) throw invalid(field, `and '${said.field}' differ: send one of them.`);
      said ??= { value, field };
    }
  }
  return said;
}

function configsOf(holder: GoogleWords | Entry, where: string) {
  return CONFIGS.flatMap((name) => {
    const settings = holder[name];
    return settings ? [{ settings, prefix: `${where}${name}.` }] : [];
  });
}
