/**
 * Authentication, before anything else: the workspace of a key or token, or in open mode anybody, but only from this machine.
 * A new way to authenticate is another branch of `identified`.
 */
import { isDeepStrictEqual } from "node:util";
import type { ConfiguredJwt, GatewayConfig } from "../config/gateway-config";
import { isLockedOut } from "../db/writer";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Caller } from "../domain/request";
import { refuseOtherMachines, refuseWebPages } from "../domain/this-machine";
import { looksLikeToken, openTokens, type Tokens } from "./jwt";
import { DEFAULT_WORKSPACE, type Keys } from "./keys";
import { bearerOf, noKey, secretOf } from "./secret";
import type { Sessions } from "./sessions";
import type { Workspaces } from "./workspaces";

export interface Auth {
  /** Whether callers need no key now. A key created by any process ends this. @param by other settings than the current ones */
  isOpen(by?: GatewayConfig["auth"]): boolean;
  /**
   * A key is mostly known at once; a token may need a request to its issuer.
   * @throws GatewayError no_key | wrong_key | forbidden | unavailable | database_unavailable
   */
  identify(request: Request): Caller | Promise<Caller>;
  /**
   * Who may use the operator's paths: an admin's key, or anybody in open mode.
   * @param refused is called with a caller who is known and not an admin, before this throws
   * @throws GatewayError like identify
   */
  identifyAdmin(request: Request, refused: (caller: Caller) => void): Caller;
  /**
   * Like `identifyAdmin`, and also by the cookie of a session (sessions.ts) if there is no key.
   * @throws GatewayError like identify; forbidden for another origin's page, and for a change without the session's token
   */
  identifyOperator(request: Request, refused: (caller: Caller) => void): Promise<Operator>;
  /** Paths without a key are limited to this machine too while the gateway is open. @throws GatewayError forbidden | database_unavailable */
  admitWithoutKey(request: Request): void;
}

export interface Operator {
  readonly caller: Caller;
  readonly by: "open" | "key" | "session";
}

interface Parts {
  /** The current settings: a reload may change them. */
  readonly settings: () => GatewayConfig["auth"];
  readonly keys: Keys;
  readonly workspaces: Pick<Workspaces, "ensure" | "exists">;
  readonly sessions: Pick<Sessions, "admit">;
  readonly outside: Pick<Outside, "now" | "fetch" | "monotonic" | "sleep" | "log">;
}

export function openAuth({ settings, keys, workspaces, sessions, outside }: Parts): Auth {
  const tokens = tokensBy(outside);
  const isOpen = ({ mode, jwt } = settings()) =>
    mode === "open" || (mode === "auto" && jwt === undefined && !keys.everNeeded());
  /** Undefined where `identified` can be called at once; otherwise resolves as soon as it can. */
  const ready = (request: Request): Promise<void> | undefined => {
    const secret = secretOf(request);
    const ask = () =>
      keys.ask === undefined || secret === undefined || isOpen() ? undefined : keys.ask(secret);
    const waiting = keys.ready?.();
    return waiting === undefined ? ask() : waiting.then(ask);
  };
  /** Call it once `ready` has resolved. */
  const identified = (request: Request): Caller & { readonly isAdmin: boolean } => {
    const secret = secretOf(request);
    const known = secret === undefined ? undefined : keys.find(secret);
    if (known) return known;
    if (isOpen()) {
      refuseOtherMachines(request);
      refuseWebPages(request);
      return { workspace: DEFAULT_WORKSPACE, keyId: null, isAdmin: true };
    }
    if (secret === undefined) throw noKey(request);
    throw new GatewayError(
      "wrong_key",
      "Incorrect API key provided: it is unknown, revoked, or was rotated out.",
      { logged: keys.endOf(secret) },
    );
  };
  const ensured = async (workspace: string): Promise<void> => {
    try {
      await workspaces.ensure(workspace, outside.monotonic());
    } catch (thrown) {
      // The request's own first row creates it too, and that takes the request's own time.
      if (!isLockedOut(asGatewayError(thrown))) throw thrown;
    }
  };
  /** A misspelt claim must not create a customer without limits. */
  const identifiedByToken = async (
    token: string,
    by: Tokens,
    { create_workspaces }: Pick<ConfiguredJwt, "create_workspaces">,
  ): Promise<Caller> => {
    const caller = await by.verify(token);
    if (create_workspaces) await ensured(caller.workspace);
    else if (!workspaces.exists(caller.workspace))
      throw new GatewayError(
        "forbidden",
        `The token names the workspace "${caller.workspace}", which does not exist here.`,
      );
    return caller;
  };
  const callerOf = ({ workspace, keyId, isAdmin }: Caller): Caller =>
    isAdmin === true ? { workspace, keyId, isAdmin } : { workspace, keyId };
  const identifyAdmin: Auth["identifyAdmin"] = (request, refused) => {
    const caller = identified(request);
    if (caller.isAdmin || isOpen()) return callerOf(caller);
    refused(callerOf(caller));
    throw new GatewayError("forbidden", "This needs an admin key; the key that was sent is not one.");
  };
  return {
    isOpen,
    identify(request) {
      const { jwt } = settings();
      const secret = secretOf(request);
      if (jwt !== undefined && secret !== undefined && looksLikeToken(secret))
        return identifiedByToken(secret, tokens(jwt), jwt);
      const waiting = ready(request);
      if (waiting !== undefined) return waiting.then(() => callerOf(identified(request)));
      return callerOf(identified(request));
    },
    admitWithoutKey(request) {
      if (isOpen()) refuseOtherMachines(request);
    },
    identifyAdmin,
    async identifyOperator(request, refused) {
      const session = bearerOf(request) === undefined ? await sessions.admit(request) : undefined;
      if (session) {
        const { workspace, keyId } = session;
        return { caller: { workspace, keyId, isAdmin: true }, by: "session" };
      }
      await ready(request);
      const caller = identifyAdmin(request, refused);
      return { caller, by: caller.keyId === null ? "open" : "key" };
    },
  };
}

/** The issuer's keys are kept over a reload that does not change `auth.jwt`. */
function tokensBy(outside: Parts["outside"]): (section: ConfiguredJwt) => Tokens {
  let opened: { readonly section: ConfiguredJwt; readonly tokens: Tokens } | undefined;
  return (section) => {
    if (opened === undefined || !isDeepStrictEqual(opened.section, section))
      opened = { section, tokens: openTokens(section, outside) };
    return opened.tokens;
  };
}
