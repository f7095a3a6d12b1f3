/**
 * An error that is answered before the request's body was read, such as a wrong key, waits for that body, if it is small. Without it curl 7.88
 * (Debian 12) loses one answer in four over HTTP/2: it gives up where an answer ends before it has sent its body (findings/curl-http2-early-answer.sh).
 */
import type { Outside } from "../domain/outside";

/** Larger bodies, and those that say no length, are not waited for: nobody is known yet who would pay for their memory. */
const BYTES_MAX = 64 * 1024;

/** A client that has begun to send needs no longer; one that sends nothing is answered anyway. */
const WAIT_MS = 250;

export async function bodyArrived(request: Request, { alarm }: Pick<Outside, "alarm">): Promise<void> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (request.bodyUsed || !(length > 0 && length <= BYTES_MAX)) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const callOff = alarm(WAIT_MS, () => resolve(undefined));
  // A client that has gone takes no answer.
  const done = () => resolve(undefined);
  request.bytes().then(done, done);
  await promise;
  callOff();
}
