/**
 * The messages between the supervisor and its processes. After an upgrade either may have another version than the other: members may
 * be added, but never removed.
 */
import { Type } from "@sinclair/typebox";

/** A routing file as it was read: one read for all processes, so that they cannot differ. */
const Read = Type.Union([
  Type.Object({ ok: Type.Literal(true), text: Type.String() }),
  Type.Object({
    ok: Type.Literal(false),
    absent: Type.Boolean(),
    line: Type.Integer(),
    message: Type.String(),
  }),
]);

export const Nothing = Type.Union([Type.Null(), Type.Undefined()]);

/** To a process, first: its configuration. */
export const Load = Type.Object({
  /** From the command line. */
  options: Type.Object({
    config: Type.Optional(Type.String()),
    host: Type.Optional(Type.String()),
    port: Type.Optional(Type.Integer()),
  }),
  read: Read,
  /** Identifies the read of the routing file: another read has another value. */
  generation: Type.Integer(),
  /** Whether it reports notes and errors. */
  tells: Type.Boolean(),
});

/** The result of reading it. */
export const Loaded = Type.Object({
  ok: Type.Boolean(),
  processes: Type.Integer(),
  /** Why a valid file cannot be used. */
  reason: Type.Optional(Type.String()),
});

/** To a process: open, and listen. */
export const Open = Type.Object({
  host: Type.String(),
  /** 0 means any free port. */
  port: Type.Integer(),
  /** Its name in the ledger's rows. */
  process: Type.String(),
  /** How many processes share the routing file's limits. */
  processes: Type.Integer({ minimum: 1 }),
  /** Whether it is the first to open the database. */
  begins: Type.Boolean(),
  /** Whether the serving processes already require credentials, so that this one must too. */
  asks: Type.Optional(Type.Boolean()),
  /** Size of the cache's shared memory; 0 if there is none. */
  cacheBytes: Type.Integer(),
});

export const Opened = Type.Object({
  port: Type.Integer(),
  /** What the first one prints at the start. */
  greeting: Type.String(),
  models: Type.Integer(),
});

/** From a serving process: whether callers need a key or a token. */
export const Asking = Type.Object({ asks: Type.Boolean() });

/** To a process: processes that died, whose rows must be marked as interrupted. */
export const Settle = Type.Object({ processes: Type.Array(Type.String()) });

/** To a process: end, and whether load balancers get time to notice. */
export const End = Type.Object({ drains: Type.Boolean() });

/** The result of a reload. */
export const Reloaded = Type.Object({ afterRestart: Type.Array(Type.String()), models: Type.Integer() });

/** To a listening process: new connections go to this many listeners of the port, starting at an index, in the order in which they were opened. */
export const Steer = Type.Object({ from: Type.Integer({ minimum: 0 }), count: Type.Integer({ minimum: 1 }) });

/** An embedding space and one target of a model in it. */
export const Measured = Type.Object({
  claim: Type.String(),
  space: Type.String(),
  provider: Type.String(),
  model: Type.String(),
  isSuspected: Type.Optional(Type.Boolean()),
});

const Outcome = Type.Object({
  cosine: Type.Union([Type.Number(), Type.Null()]),
  failed: Type.Boolean(),
  agrees: Type.Boolean(),
  outOfService: Type.Boolean(),
  space: Type.String(),
  message: Type.String(),
  forMs: Type.Number(),
});

/** To a process that asks for a measurement's result: null: it must measure. */
export const WhoMeasures = Type.Object({ outcome: Type.Union([Outcome, Type.Null()]) });

/** A process's result, sent to the supervisor and by it to all others; null if it gave up. */
export const MeasuredOnce = Type.Object({
  generation: Type.Integer(),
  what: Measured,
  outcome: Type.Union([Outcome, Type.Null()]),
});
