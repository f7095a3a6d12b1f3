/**
 * /admin/v1/session: takes an admin key once, then uses a cookie that scripts cannot read. Changes by cookie need the session's CSRF token in a
 * header (src/callers/sessions.ts). In open mode no session is needed, and none is created.
 */
import { type Static, Type } from "@sinclair/typebox";
import { CSRF_HEADER, SESSION_COOKIE } from "../../callers/sessions";
import { GatewayError } from "../../domain/errors";
import { type AdminPath, type Asked, adminPath, type Named, NO_BODY } from "./admin-path";
import type { AdminParts } from "./parts";
import { iso, OrNull, Time } from "./values";

const Session = {
  name: "AdminSession",
  schema: Type.Object(
    {
      mode: Type.Union([Type.Literal("open"), Type.Literal("key"), Type.Literal("session")], {
        description:
          "How this request was authenticated. open: no key is needed, and only requests from this machine are answered. key: an admin key. session: the cookie.",
      }),
      actor: Type.String({ description: "The name in the audit trail." }),
      key: OrNull(Type.String({ description: "The admin key's id." })),
      csrf_token: OrNull(
        Type.String({
          description: `Changes authenticated by the cookie must send this in the header ${CSRF_HEADER}.`,
        }),
      ),
      expires_at: OrNull(Time("When the session ends.")),
    },
    {
      examples: [
        {
          mode: "session",
          actor: "key_Xb3kQ9",
          key: "key_Xb3kQ9",
          csrf_token: "q8rT3m",
          expires_at: "2026-11-28T21:00:00.000Z",
        },
      ],
    },
  ),
} satisfies Named;

const Ended = {
  name: "AdminSessionEnd",
  schema: Type.Object({ ended: Type.Boolean() }, { examples: [{ ended: true }] }),
} satisfies Named;

type Told = Static<typeof Session.schema>;

const cookie = (value: string, seconds: number, isTls: boolean) =>
  `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${isTls ? "; Secure" : ""}`;

async function begin(
  { operator, request, setHeader }: Pick<Asked<unknown, unknown>, "operator" | "request" | "setHeader">,
  { sessions, outside, isTls }: AdminParts,
): Promise<Told> {
  const { actor, keyId } = operator;
  if (operator.by === "open") return { mode: "open", actor, key: null, csrf_token: null, expires_at: null };
  if (operator.by === "session" || keyId === null)
    throw new GatewayError(
      "invalid",
      "A session is begun with an admin key: send it in the header 'Authorization: Bearer KEY'.",
    );
  const made = await sessions.begin(request, actor);
  setHeader("set-cookie", cookie(made.secret, Math.ceil((made.expiresAt - outside.now()) / 1_000), isTls));
  return {
    mode: "session",
    actor,
    key: keyId,
    csrf_token: made.csrfToken,
    expires_at: iso(made.expiresAt),
  };
}

export const SESSION_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "POST",
    path: "/session",
    operationId: "adminBeginSession",
    summary: "Begin a session of the dashboard with an admin key: the answer sets a cookie",
    description:
      "The cookie is HttpOnly and SameSite=Strict, ends after 12 hours, and with the key's secret. A page of another origin is refused, whatever it sends.",
    query: {},
    request: NO_BODY,
    answer: Session,
    work: begin,
  }),
  adminPath({
    method: "GET",
    path: "/session",
    operationId: "adminShowSession",
    summary: "Who this request is let in as, and the session's CSRF token",
    query: {},
    request: NO_BODY,
    answer: Session,
    async work({ operator, request }, { sessions }) {
      const session = operator.by === "session" ? await sessions.of(request) : undefined;
      return {
        mode: operator.by,
        actor: operator.actor,
        key: operator.keyId,
        csrf_token: session?.csrfToken ?? null,
        expires_at: session ? iso(session.expiresAt) : null,
      };
    },
  }),
  adminPath({
    method: "DELETE",
    path: "/session",
    operationId: "adminEndSession",
    summary: "End the session of the cookie",
    query: {},
    request: NO_BODY,
    answer: Ended,
    async work({ operator, request, setHeader }, { sessions, isTls }) {
      setHeader("set-cookie", cookie("", 0, isTls));
      return { ended: await sessions.end(request, operator.actor) };
    },
  }),
];

export type AdminSession = Static<typeof Session.schema>;

export const SESSION_SCHEMAS: readonly Named[] = [Session, Ended];
