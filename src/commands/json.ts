/** What a command prints for programs. Text that callers wrote is in it, and a terminal may show it: what is not seen is escaped, as JSON may. */
import { visible } from "../domain/control-characters";

export const json = (value: unknown): string => visible(JSON.stringify(value));
