/**
 * Questions and answers between the supervisor and a process, over the channel that the process was started with.
 * messages.ts has the messages; a peer of another version gets an error, never silence.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Outside } from "../domain/outside";

export interface Channel {
  /** Rejects if the other side fails, returns an invalid answer, or ends. */
  ask<Answer extends TSchema>(kind: string, body: unknown, answer: Answer): Promise<Static<Answer>>;
  /** Sends it without waiting for an answer. */
  tell(kind: string, body?: unknown): void;
  /** A message from the other side. */
  hear(message: unknown): void;
  /** The other side has ended: every open question is rejected. */
  end(reason: string): void;
}

/** The handler for each kind of message; its result is the answer. */
export type Handlers = Readonly<Record<string, (body: unknown) => unknown>>;

const Message = Type.Union([
  Type.Object({
    kind: Type.String(),
    id: Type.Optional(Type.Integer()),
    body: Type.Optional(Type.Unknown()),
  }),
  Type.Object({ answerTo: Type.Integer(), body: Type.Optional(Type.Unknown()) }),
  Type.Object({ answerTo: Type.Integer(), error: Type.String() }),
]);

interface Waiting {
  readonly answered: (body: unknown) => void;
  readonly failed: (cause: Error) => void;
}

/** @param log for failures of messages that wait for no answer */
export function openChannel(
  send: (message: unknown) => void,
  handlers: Handlers,
  { log }: Pick<Outside, "log">,
): Channel {
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let ended: string | undefined;

  async function handle(kind: string, id: number | undefined, body: unknown): Promise<void> {
    try {
      const handler = handlers[kind];
      if (handler === undefined) throw new Error(`nothing here knows "${kind}"`);
      const answer = await handler(body);
      if (id !== undefined && ended === undefined) send({ answerTo: id, body: answer });
    } catch (cause) {
      const error = cause instanceof Error ? cause.message : String(cause);
      if (id === undefined)
        log("error", "a message from another process could not be handled", { kind, error });
      else if (ended === undefined) send({ answerTo: id, error });
    }
  }

  return {
    async ask(kind, body, answer) {
      if (ended !== undefined) throw new Error(ended);
      asked += 1;
      const id = asked;
      const reply = new Promise<unknown>((answered, failed) => waiting.set(id, { answered, failed }));
      send({ kind, id, body });
      return Value.Parse(answer, await reply);
    },
    tell(kind, body) {
      if (ended === undefined) send({ kind, body });
    },
    hear(message) {
      if (!Value.Check(Message, message)) return;
      if ("kind" in message) {
        void handle(message.kind, message.id, message.body);
        return;
      }
      const asker = waiting.get(message.answerTo);
      waiting.delete(message.answerTo);
      if ("error" in message) asker?.failed(new Error(message.error));
      else asker?.answered(message.body);
    },
    end(reason) {
      ended = reason;
      for (const { failed } of waiting.values()) failed(new Error(reason));
      waiting.clear();
    },
  };
}
