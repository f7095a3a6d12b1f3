/**
 * TLS for the connections to one server: Bun's options, which certificates are trusted, and the session that halves the cost of the next handshake.
 * Bun checks the certificate chain and the name during the handshake, as in `fetch`; connection.ts uses no connection before that.
 */
import { isIP } from "node:net";
import type { Socket, TLSOptions } from "bun";

/** As in `fetch`'s init: PEM. */
export type TlsInit = Pick<TLSOptions, "ca" | "cert" | "key">;

export interface Secured {
  readonly options: TLSOptions;
  /** Call this before the handshake. */
  begin(socket: Socket<undefined>): void;
  /** @returns whether the handshake proved the server's identity */
  isTrusted(socket: Socket<undefined>, isDone: boolean): boolean;
  /** Call this after a reply was read: servers send the session after the handshake. */
  keepSession(socket: Socket<undefined>): void;
}

/** A resumed session skips the certificate check, so it is renewed from time to time. */
const SESSION_MS_MAX = 3_600_000;
/** In ALPN's wire format (RFC 7301): each name after its length. */
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
      // Bun's type wrongly says that this returns nothing.
      const bytes: unknown = socket.getSession();
      if (bytes instanceof Uint8Array) session = { bytes, endsAt: monotonic() + SESSION_MS_MAX };
    },
  };
}
