/**
 * How many queries of this process a PostgreSQL has not answered yet, and turns of the event loop that count only while there are none:
 * a test that waits so waits for the same on each database, and not for a time.
 */
let queries = 0;

export async function counted<Value>(query: Promise<Value>): Promise<Value> {
  queries += 1;
  try {
    return await query;
  } finally {
    queries -= 1;
  }
}

/** Resolves after so many turns of the event loop one after the other in which no query was under way. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (queries > 0) turn = -1;
  }
}
