/**
 * Clients that do not read their answers: how long they may, how much memory their answers may hold, and that nobody else notices.
 * The tests of a process at the end show what only a connection can show.
 */
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Ending } from "../../src/domain/ending";
import { createSending, type Limits } from "../../src/door/sending";
import type { Body } from "../../src/request/printing";
import { fakeOutside } from "../fake-outside";
import { startServing, startUpstream, temporaryFolder, wireTo } from "../serving";

const MB = 2 ** 20;
const LIMITS: Limits = { send_timeout_ms: 5_000, max_unsent_mb: 10 };

function open(limits = LIMITS) {
  const clock = fakeOutside();
  let cutOff = 0;
  const logged: unknown[] = [];
  const sending = createSending(
    () => limits,
    { answerCutOff: () => void cutOff++ },
    { ...clock.outside, log: (_, message, about) => void logged.push([message, about?.reason]) },
  );
  /** An answer whose client reads when the test says so. */
  const begin = (bytes: number) => {
    let taken = (): void => undefined;
    let over = (): void => undefined;
    let isUnderWay = false;
    let isCut = false;
    const body: Body = {
      heldBytes: bytes,
      stream(_, watch) {
        if (watch === undefined) throw new Error("nobody watches");
        taken = watch.taken;
        over = watch.over;
        watch.cut.catch(() => {
          isCut = true;
        });
        return new ReadableStream();
      },
    };
    const gone = new Ending();
    const keep = () => {
      isUnderWay = true;
      return () => {
        isUnderWay = false;
      };
    };
    sending.begin(body, { gone, reader: "server", keep });
    return {
      gone,
      taken: () => taken(),
      over: () => over(),
      seen: async () => {
        await Promise.resolve();
        return { isUnderWay, isCut };
      },
    };
  };
  return { clock, sending, begin, logged, cutOff: () => cutOff };
}

const GOES_ON = { isUnderWay: true, isCut: false };
const IS_CUT = { isUnderWay: false, isCut: true };

describe("a client", () => {
  test("that reads nothing for too long is disconnected, and one that reads a part in time is not", async () => {
    const { clock, sending, begin, cutOff, logged } = open();
    const [idle, slow] = [begin(MB), begin(MB)];
    await clock.advance(4_999);
    slow.taken();
    expect([await idle.seen(), await slow.seen()]).toEqual([GOES_ON, GOES_ON]);
    await clock.advance(1);
    expect([await idle.seen(), await slow.seen()]).toEqual([IS_CUT, GOES_ON]);
    expect([cutOff(), sending.unsent()]).toEqual([1, MB]);
    expect(logged).toEqual([
      ["slow client disconnected: it did not read its answer", "it read nothing for server.send_timeout_ms"],
    ]);
    slow.over();
    expect([await slow.seen(), sending.unsent()]).toEqual([{ isUnderWay: false, isCut: false }, 0]);
    await clock.advance(60_000);
    expect(cutOff()).toBe(1);
  });

  test("that disconnects is no longer counted, and is not an error", async () => {
    const { sending, begin, cutOff, clock } = open();
    const client = begin(MB);
    client.gone.abort("gone");
    client.over();
    expect([await client.seen(), sending.unsent(), cutOff()]).toEqual([IS_CUT, 0, 0]);
    expect(clock.sleeping()).toEqual([]);
  });

  test("whose answer is small holds nothing", () => {
    const { sending } = open();
    const gone = new Ending();
    const keep = () => {
      throw new Error("counted");
    };
    expect(sending.begin("{}", { gone, reader: "server", keep })).toBe("{}");
    expect(sending.unsent()).toBe(0);
  });
});

describe("above the memory limit for answers", () => {
  test("those that have waited longest are disconnected, as many as necessary, and nobody who reads", async () => {
    const { clock, sending, begin } = open();
    const [first, second, reads] = [begin(4 * MB), begin(4 * MB), begin(2 * MB)];
    await clock.advance(3_000);
    reads.taken();
    const next = begin(3 * MB);
    expect(await Promise.all([first, second, reads, next].map(({ seen }) => seen()))).toEqual([
      IS_CUT,
      GOES_ON,
      GOES_ON,
      GOES_ON,
    ]);
    expect(sending.unsent()).toBe(9 * MB);
  });

  test("those that have only just begun are spared, and checked again", async () => {
    const { clock, sending, begin } = open();
    const all = [begin(6 * MB), begin(6 * MB), begin(6 * MB)];
    expect(sending.unsent()).toBe(18 * MB);
    await clock.advance(500);
    all[0]?.taken();
    await clock.advance(500);
    expect(await Promise.all(all.map(({ seen }) => seen()))).toEqual([GOES_ON, IS_CUT, IS_CUT]);
    expect(sending.unsent()).toBe(6 * MB);
  });
});

describe("a gateway", () => {
  const INPUTS = 600;
  const body = JSON.stringify({ model: "m", input: Array.from({ length: INPUTS }, (_, i) => `text ${i}`) });
  const request = `POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  /** Far more than fits into the buffers between a server and a client. */
  const vector = () => Array.from({ length: 1536 }, (_, i) => Math.fround(Math.sin(i + 1)));

  const inFlight = async (url: string) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return [/requests_in_flight (\d+)/, /answers_cut_off_total (\d+)/].map((line) => line.exec(text)?.[1]);
  };

  test("counts an answer as in flight until it is sent, and cuts off one that nobody reads", async () => {
    using upstream = startUpstream({ vector });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "send_timeout_ms: 1000") });
    await using child = await startServing(folder.path);
    let got = "";
    const begun = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<string>();
    const socket = connect(child.port, "127.0.0.1", () => socket.write(request));
    socket.on("error", () => undefined);
    socket.on("close", () => closed.resolve(got));
    socket.on("data", (chunk) => {
      got += chunk;
      socket.pause();
      begun.resolve();
    });
    await begun.promise;
    expect(await inFlight(child.url)).toEqual(["1", "0"]);
    await child.logged("it read nothing for server.send_timeout_ms");
    expect(await inFlight(child.url)).toEqual(["0", "1"]);
    socket.resume();
    // Its reader can see that it is incomplete.
    expect((await closed.promise).endsWith("0\r\n\r\n")).toBe(false);
    expect((await fetch(`${child.url}/healthz`)).status).toBe(200);
  });

  test("that shuts down waits for answers being sent, and no longer than its grace period", async () => {
    using upstream = startUpstream({ vector });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "grace_ms: 300") });
    await using child = await startServing(folder.path);
    const begun = Promise.withResolvers<void>();
    const socket = connect(child.port, "127.0.0.1", () => socket.write(request));
    socket.on("error", () => undefined);
    socket.on("data", () => {
      socket.pause();
      begun.resolve();
    });
    await begun.promise;
    child.signal("SIGTERM");
    await child.logged("have grace_ms to finish");
    await child.logged("grace_ms is over");
    expect(await child.ended()).toBe(0);
  });
});
