/**
 * What connections to a server live by in tests, whatever clock the gateway has: a time that passes by itself, and queries that are counted
 * (under-way.ts). What day it is says the gateway's clock.
 */
import type { OpenPostgres } from "../../src/domain/postgres";
import { realOutside } from "../../src/network/real-outside";
import { openBuns } from "../../src/stores/postgres/connection";
import { counted } from "./under-way";

const postgres: OpenPostgres = (options) => {
  const client = openBuns(options);
  return {
    async reserve() {
      const session = await counted(client.reserve());
      return {
        query: (text, parameters) => counted(session.query(text, parameters)),
        script: (text) => counted(session.script(text)),
      };
    },
    close: client.close,
  };
};

/** Time passes slowly, so that no server is too slow on a busy machine: what that means is judged by stores/postgres.test.ts. */
const SLOWLY = 5;
/** Before any time of a gateway's own clock, so that no deadline of its is over. */
const LONG_BEFORE = -1e12;

const { sleep, random } = realOutside;
const { turn = () => Promise.resolve(), polled = turn } = realOutside;
const monotonic = () => LONG_BEFORE + realOutside.monotonic() / SLOWLY;
const alarm = (ms: number, ring: () => void) => realOutside.alarm(ms * SLOWLY, ring);
export const TIMERS = { monotonic, sleep, alarm, random, turn, polled, postgres };
