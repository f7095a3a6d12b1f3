/**
 * What the supervisor and its copies say to one another. Either may be of another version than the other, after an upgrade: a member may
 * be added, and none taken away.
 */
import { Type } from "@sinclair/typebox";

/** A routing file as it was read: one reading for all copies, so that they cannot differ. */
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

/** To a copy, first: what it is to serve by. */
export const Load = Type.Object({
  /** As the command line gives them. */
  options: Type.Object({
    config: Type.Optional(Type.String()),
    host: Type.Optional(Type.String()),
    port: Type.Optional(Type.Integer()),
  }),
  read: Read,
  /** Of the routing file: another reading of it is another one. */
  generation: Type.Integer(),
  /** Whether it tells what is worth a note, and what is wrong. */
  tells: Type.Boolean(),
});

/** The result of reading it. */
export const Loaded = Type.Object({
  ok: Type.Boolean(),
  processes: Type.Integer(),
  /** Why a valid file cannot be served. */
  reason: Type.Optional(Type.String()),
});

/** To a copy: to open, and to listen. */
export const Open = Type.Object({
  host: Type.String(),
  /** 0 means any free port. */
  port: Type.Integer(),
  /** Its name in the ledger's rows. */
  process: Type.String(),
  /** How many copies the limits of the routing file are shared out among. */
  processes: Type.Integer({ minimum: 1 }),
  /** Whether it is the first to open the database. */
  begins: Type.Boolean(),
  /** Whether those that serve already ask for credentials, so that it must too. */
  asks: Type.Optional(Type.Boolean()),
  /** Of the cache's memory that all share; 0 where there is none. */
  cacheBytes: Type.Integer(),
});

export const Opened = Type.Object({
  port: Type.Integer(),
  /** What the first one prints at the start. */
  greeting: Type.String(),
  models: Type.Integer(),
});

/** Of a copy that serves: whether callers need a key or a token. */
export const Asking = Type.Object({ asks: Type.Boolean() });

/** To a copy: processes that died, whose rows are to be marked as interrupted. */
export const Settle = Type.Object({ processes: Type.Array(Type.String()) });

/** To a copy: to end, and whether load balancers are given time to notice. */
export const End = Type.Object({ drains: Type.Boolean() });

/** What a reload did. */
export const Reloaded = Type.Object({ afterRestart: Type.Array(Type.String()), models: Type.Integer() });

/** To a copy that listens: new connections go to so many listeners of the port, from one on, in the order in which they came. */
export const Steer = Type.Object({ from: Type.Integer({ minimum: 0 }), count: Type.Integer({ minimum: 1 }) });

/** An embedding space, as one target of a model has it. */
export const Measured = Type.Object({
  claim: Type.String(),
  space: Type.String(),
  provider: Type.String(),
  model: Type.String(),
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

/** To a copy that asks what a measurement comes to: null: it must measure. */
export const WhoMeasures = Type.Object({ outcome: Type.Union([Outcome, Type.Null()]) });

/** What a copy found, told to the supervisor and by it to all others; null where it gave up. */
export const MeasuredOnce = Type.Object({
  generation: Type.Integer(),
  what: Measured,
  outcome: Type.Union([Outcome, Type.Null()]),
});
