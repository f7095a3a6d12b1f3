/**
 * An error that is sent before the request's body was read, such as for a wrong key, waits for a small body. Otherwise curl 7.88 (Debian 12)
 * loses one answer in four over HTTP/2: it fails if an answer ends before it has sent its body (findings/curl-http2-early-answer.sh).
 */
import type { Outside } from "../domain/outside";

/** Larger bodies and those without a length are not waited for: the caller is not authenticated yet, and must not use much memory. */
const BYTES_MAX = 64 * 1024;

/** Long enough for a client that has begun to send; one that sends nothing is answered then. */
const WAIT_MS = 250;

export async function bodyArrived(request: Request, { alarm }: Pick<Outside, "alarm">): Promise<void> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (request.bodyUsed || !(length > 0 && length <= BYTES_MAX)) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const callOff = alarm(WAIT_MS, () => resolve(undefined));
  // A disconnected client gets no answer.
  const done = () => resolve(undefined);
  request.bytes().then(done, done);
  await promise;
  callOff();
}
