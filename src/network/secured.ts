/**
 * TLS of one server's connections: what Bun is told, who is trusted, and the session by which the next handshake costs half of it.
 * The chain and the name are checked by Bun in the handshake, as in `fetch`; connection.ts uses no connection before that.
 */
import { isIP } from "node:net";
import type { Socket, TLSOptions } from "bun";

/** As in `fetch`'s init: PEM. */
export type TlsInit = Pick<TLSOptions, "ca" | "cert" | "key">;

export interface Secured {
  readonly options: TLSOptions;
  /** To be called before the handshake. */
  begin(socket: Socket<undefined>): void;
  /** @returns whether the handshake proved who the server is */
  isTrusted(socket: Socket<undefined>, isDone: boolean): boolean;
  /** To be called once a reply was read: servers send the session after the handshake. */
  keepSession(socket: Socket<undefined>): void;
}

/** A resumed session skips the certificate check: it is renewed now and then. */
const SESSION_MS_MAX = 3_600_000;
/** In ALPN's own form (RFC 7301): each name after its length. */
const HTTP_1_1 = "\x08http/1.1";

export function securedFor(hostname: string, init: TlsInit, monotonic: () => number): Secured {
  let session: { readonly bytes: Uint8Array; readonly endsAt: number } | undefined;
  return {
    options: {
      ...init,
      // An IP address is not allowed in SNI (RFC 6066, 3); the certificate is still checked for it.
      serverName: isIP(hostname) === 0 ? hostname : "",
      ALPNProtocols: HTTP_1_1,
      rejectUnauthorized: true,
    },
    begin(socket) {
      if (session && session.endsAt > monotonic()) socket.setSession(session.bytes);
      socket.disableRenegotiation();
    },
    isTrusted: (socket, isDone) => isDone && socket.authorized,
    keepSession(socket) {
      if (socket.isSessionReused()) return;
      // Bun's type says that it returns nothing.
      const bytes: unknown = socket.getSession();
      if (bytes instanceof Uint8Array) session = { bytes, endsAt: monotonic() + SESSION_MS_MAX };
    },
  };
}
