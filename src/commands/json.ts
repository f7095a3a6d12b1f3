/** What a command prints for programs. It holds callers' text, which a terminal may show: invisible characters are escaped. */
import { visible } from "../domain/control-characters";

export const json = (value: unknown): string => visible(JSON.stringify(value));
