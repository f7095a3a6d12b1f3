/** Prints JSON for programs. It may contain callers' text, and a terminal may show it, so invisible characters are escaped. */
import { visible } from "../domain/control-characters";

export const json = (value: unknown): string => visible(JSON.stringify(value));
