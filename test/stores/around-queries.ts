/** Bun's PostgreSQL client with something around each of its queries: to record them, or to lose their answers. */
import type { OpenPostgres } from "../../src/domain/postgres";
import { openBuns } from "../../src/stores/postgres/connection";

export interface Query {
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** @param around is given each query, and what asks the server; it resolves with the rows */
export const aroundQueries =
  (
    around: <Row>(query: Query, ask: () => Promise<readonly Row[]>) => Promise<readonly Row[]>,
  ): OpenPostgres =>
  (options) => {
    const client = openBuns(options);
    return {
      close: client.close,
      async reserve() {
        const session = await client.reserve();
        return {
          script: session.script,
          query: <Row>(text: string, parameters: unknown[]) =>
            around<Row>({ text, parameters }, () => session.query<Row>(text, parameters)),
        };
      },
    };
  };
