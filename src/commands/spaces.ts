/**
 * `embedgate spaces list | forget`: the fingerprints that routes are measured against, and how to accept a model that was changed.
 */

import { withStore } from "../serving/configured";
import { openFingerprints } from "../spaces/fingerprints";
import { table } from "../terminal/table";
import { json } from "./json";

interface Common {
  readonly config?: string;
  readonly json?: boolean;
}

export function listSpaces(options: Common): Promise<number> {
  return withStore(options.config, async (store) => {
    const spaces = openFingerprints(store)
      .list()
      .map(({ space, dimensions, provider, model, measuredAt }) => ({
        space,
        dimensions,
        provider,
        model,
        measured_at: new Date(measuredAt).toISOString(),
      }));
    if (options.json) console.log(json(spaces));
    else {
      const rows = spaces.map((one) => [one.space, one.dimensions, one.provider, one.model, one.measured_at]);
      console.log(table([["SPACE", "DIMENSIONS", "FIRST MEASURED AT", "AS", "ON"], ...rows]));
    }
    return 0;
  });
}

export function forgetSpace(space: string, options: Common): Promise<number> {
  return withStore(options.config, async (store) => {
    const forgotten = await openFingerprints(store).forget(space);
    if (options.json) console.log(json({ space, forgotten }));
    else if (forgotten)
      console.error(
        `The space ${space} is measured anew with its next use. Vectors stored before may not be comparable with new ones.`,
      );
    else
      console.error(`No space is called ${space}. 'embedgate spaces list' lists those that were measured.`);
    return forgotten ? 0 : 1;
  });
}
