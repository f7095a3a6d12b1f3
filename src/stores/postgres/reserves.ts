/** Returns to workspaces what batches hold for lines that are not begun. src/books/reserves.ts says what a reserve is. */
import { OPEN } from "../../books/batch-records";

const releaseOf = (which: string) => `
  WITH ended AS (DELETE FROM @reserves r WHERE ${which} RETURNING r.workspace, r.micro_credits, r.pico_usd)
  UPDATE @workspaces w SET micro_credits_held = w.micro_credits_held - e.micro_credits, pico_usd_held = w.pico_usd_held - e.pico_usd
  FROM (SELECT workspace, sum(micro_credits)::bigint AS micro_credits, sum(pico_usd)::bigint AS pico_usd FROM ended GROUP BY workspace) e
  WHERE w.name = e.workspace`;

/** $1 the batch. */
export const RELEASE = releaseOf("r.id = $1");

/** For reserves without a batch. A live process may still be about to create the batch, which it does right after the reserve. */
export const RELEASE_LOST = releaseOf(
  `NOT EXISTS (SELECT 1 FROM @batches b WHERE b.id = r.id AND b.${OPEN})
    AND NOT EXISTS (SELECT 1 FROM @instances i WHERE i.id = r.process)`,
);
