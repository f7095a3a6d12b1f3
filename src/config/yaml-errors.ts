/**
 * Our own messages for YAML parser errors, saying what to do. The parser's messages may quote the file, and with it a secret.
 * An error code of `yaml` without a row here is reported as broken YAML.
 */
import type { YAMLError } from "yaml";

const WORDS: Readonly<Partial<Record<YAMLError["code"], string>>> = {
  ALIAS_PROPS: "an alias (*) cannot have an anchor or tag",
  BAD_ALIAS: "an anchor (&) or alias (*) without a proper name; text that starts with & or * needs quotes",
  BAD_DIRECTIVE: "an unknown directive (%); remove it",
  BAD_DQ_ESCAPE: 'an escape that does not exist; in "…" write a backslash as \\\\, or use single quotes',
  BAD_INDENT:
    "wrong indentation, or a bracket } or ] that is missing: keys of one mapping start in one column",
  BAD_PROP_ORDER: "an anchor or tag is in the wrong place: put it before its value",
  BAD_SCALAR_START:
    "a value starts with a character that YAML reserves (such as @, `, |, > or %); put it in quotes",
  BLOCK_AS_IMPLICIT_KEY: "two keys in one line; put the second on its own line, or the value in quotes",
  BLOCK_IN_FLOW: "an indented block inside {…} or […]; use one of the two styles",
  DUPLICATE_KEY: "duplicate key; keep one",
  KEY_OVER_1024_CHARS: "a key of more than 1024 characters; is a quote or a colon missing?",
  MISSING_CHAR: "something is missing here: a closing quote, a comma, a colon, or the space after it",
  MULTILINE_IMPLICIT_KEY: "a line without a colon; expected `key: value`",
  MULTIPLE_ANCHORS: "two anchors (&) on one value",
  MULTIPLE_DOCS: "a second document starts here (---); a routing file has one",
  MULTIPLE_TAGS: "two tags (!) on one value",
  NON_STRING_KEY: "a key is plain text, not a collection",
  RESOURCE_EXHAUSTION: "nested too deep to be read",
  TAB_AS_INDENT: "a tab; YAML indents with spaces only",
  TAG_RESOLVE_FAILED:
    "a tag (!), which a routing file does not support; text that starts with ! needs quotes",
  UNEXPECTED_TOKEN: "unexpected here: check the indentation, and look for a missing quote, colon or bracket",
  BAD_COLLECTION_TYPE: "a tag (!), which a routing file does not support",
};

export function describeSyntaxError(error: YAMLError): string {
  return WORDS[error.code] ?? "not YAML";
}
