/**
 * Types for sums over time: the query and the result. src/books/open-series.ts reads them.
 * A new group is a member of SERIES_GROUPS, and a line of COLUMN_OF there.
 */
import type { SumName } from "./rollups";
import type { RollupUnit } from "./times";
import type { UsageGroup, UsageLine } from "./usage";

export const SERIES_GROUPS = [
  "workspace",
  "key",
  "model",
  "provider",
  "status",
  "code",
  "kind",
  "metadata",
] as const;
export type SeriesGroup = (typeof SERIES_GROUPS)[number];

export type SeriesSums = Readonly<Record<SumName, bigint>> & {
  readonly failed: bigint;
  /** Latency of answered requests; null if there were none. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
};

export interface SeriesAsked {
  readonly unit: RollupUnit;
  /** Milliseconds since 1970; rounded to whole units. */
  readonly since: number;
  readonly until: number;
  readonly by: readonly SeriesGroup[];
  readonly metadata_key?: string | undefined;
  readonly workspace?: string | undefined;
  readonly key_id?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  /** How many groups are kept apart; all others form one more group. */
  readonly top: number;
}

export interface SeriesFound {
  readonly since: number;
  readonly until: number;
  readonly times: readonly number[];
  /** Groups with the most requests first. */
  readonly groups: readonly {
    readonly names: readonly string[];
    readonly isRest: boolean;
    readonly total: SeriesSums;
    readonly errors: readonly ErrorCount[];
    /** One point for each of `times`. */
    readonly points: readonly SeriesSums[];
  }[];
  readonly total: SeriesSums;
}

export interface ErrorCount {
  readonly kind: string;
  readonly code: string;
  readonly status: number;
  readonly requests: number;
}

export interface UsageAsked {
  /** Rounded to whole hours. */
  readonly since: number;
  readonly until: number;
  readonly by: readonly UsageGroup[];
  readonly workspace: string | undefined;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface Series {
  /** @throws GatewayError invalid for more than POINTS_MAX points */
  over(asked: SeriesAsked): Promise<SeriesFound>;
  usage(
    asked: UsageAsked,
  ): Promise<{ readonly since: number; readonly until: number; readonly lines: readonly UsageLine[] }>;
}
