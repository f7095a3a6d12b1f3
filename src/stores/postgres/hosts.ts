/**
 * Chooses the server to connect to. Host names are looked up anew for each connection, so that a failover that moves a name is followed at once. Of
 * several servers it takes one that `target_session_attrs` allows. They are tried in order, the last good one first. The next one is tried after a
 * quarter of a second, or as soon as the one before has failed, so that a dead host does not delay the rest (RFC 8305).
 */
import { isIP } from "node:net";
import type { Outside } from "../../domain/outside";
import type { Session } from "../../domain/postgres-address";
import type { Address } from "./address";
import { type Connection, connectTo, isPassing, Lost, type Place } from "./connection";

const NEXT_AFTER_MS = 250;

type World = Pick<Outside, "alarm" | "postgres" | "addressesOf" | "environment">;

/** The query that tells whether a server suits. */
const IS_ALLOWED: Readonly<Record<Exclude<Session, "any">, string>> = {
  "read-write": "SELECT current_setting('transaction_read_only') = 'off' AS allowed",
  primary: "SELECT NOT pg_is_in_recovery() AS allowed",
};

/** @returns a function that connects; it throws Lost, or PostgreSQL's own error */
export function openHosts(address: Address, outside: World): () => Promise<Connection> {
  let lastGood: string | undefined;

  async function connect(place: Place): Promise<Connection> {
    const connection = await connectTo(place, address, outside);
    if (!(await isAllowed(connection, address.session))) {
      connection.close();
      throw new Lost(`${place.url.host} takes no writes`);
    }
    lastGood = nameOf(place);
    return connection;
  }

  return async () => {
    const places = await placesOf(address, outside);
    const first = places.filter((place) => nameOf(place) === lastGood);
    const others = places.filter((place) => nameOf(place) !== lastGood);
    return firstOf(
      [...first, ...others].map((place) => () => connect(place)),
      outside,
    );
  };
}

/** Whether there is nothing to look up: a Unix socket's folder, or an IP address. */
const isNoName = (name: string) => /%2f/i.test(name) || isIP(name.replace(/^\[|\]$/g, "")) !== 0;

/** @returns all servers of an address, in its order @throws Lost where no name has an address */
export async function placesOf(
  { urls }: Pick<Address, "urls">,
  { addressesOf }: Pick<Outside, "addressesOf">,
): Promise<readonly Place[]> {
  const found = await Promise.allSettled(
    urls.map(async (url): Promise<readonly Place[]> => {
      const name = url.hostname;
      if (addressesOf === undefined || isNoName(name)) return [{ url, ip: undefined }];
      return (await addressesOf(name)).map((ip) => ({ url, ip }));
    }),
  );
  const places = found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  if (places.length > 0) return places;
  const failed = found.find(({ status }) => status === "rejected");
  throw new Lost(String(failed?.status === "rejected" ? failed.reason : "no host has an address"));
}

const nameOf = ({ url, ip }: Place) => `${url.host} ${ip}`;

async function isAllowed(connection: Connection, session: Session): Promise<boolean> {
  if (session === "any") return true;
  try {
    const [row] = await connection.query<{ readonly allowed: boolean }>(IS_ALLOWED[session]);
    return row?.allowed === true;
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
}

/** @returns the first connection that succeeds; later ones are closed. @throws if all fail: an error that will not pass, else all in one Lost */
function firstOf(
  attempts: readonly (() => Promise<Connection>)[],
  { alarm }: Pick<Outside, "alarm">,
): Promise<Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const failures: unknown[] = [];
  let begun = 0;
  let isOver = false;
  let off = () => {};

  function begin(): void {
    off();
    const attempt = attempts[begun];
    if (attempt === undefined || isOver) return;
    begun += 1;
    if (begun < attempts.length) off = alarm(NEXT_AFTER_MS, begin);
    attempt().then(succeeded, failed);
  }

  function succeeded(connection: Connection): void {
    if (isOver) connection.close();
    isOver = true;
    off();
    resolve(connection);
  }

  function failed(cause: unknown): void {
    failures.push(cause);
    if (failures.length < attempts.length) {
      begin();
      return;
    }
    isOver = true;
    const [first, ...more] = failures;
    const worst = failures.find((failure) => !isPassing(failure)) ?? first;
    reject(more.length > 0 && isPassing(worst) ? new Lost(failures.map(wordsOf).join("; ")) : worst);
  }

  begin();
  return promise;
}

const wordsOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));
