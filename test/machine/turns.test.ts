/** Who goes on in which turn of the event loop: large work never delays the steps of a small request by more than a slice, and always goes on. */
import { expect, test } from "bun:test";
import { createTurns } from "../../src/machine/turns";

/** An event loop whose turns the test runs. */
function fakeLoop() {
  let due: (() => void)[] = [];
  let now = 0;
  const turns = createTurns(
    (ring) => void due.push(ring),
    () => now,
  );
  const seen: string[] = [];
  return {
    turns,
    seen,
    /** What goes on takes this long. */
    takes(ms: number) {
      now += ms;
    },
    async run() {
      const all = due;
      due = [];
      for (const ring of all) {
        ring();
        for (let i = 0; i < 5; i++) await Promise.resolve();
      }
      seen.push("|");
    },
    isIdle: () => due.length === 0,
  };
}

type Loop = ReturnType<typeof fakeLoop>;

/** Large work in slices of 0.3 ms. */
async function large({ turns, seen, takes }: Loop, name: string, slices: number) {
  for (let i = 0; i < slices; i++) {
    await turns.slice();
    seen.push(name);
    takes(0.3);
  }
}

/** A request of some steps, each of which waits for the network to be polled and takes next to nothing. */
async function small({ turns, seen, takes }: Loop, steps: number) {
  for (let i = 0; i < steps; i++) {
    await turns.polled();
    seen.push(".");
    takes(0.02);
  }
  seen.push("answer");
}

test("one slice a turn, in order of arrival, whoever's it is", async () => {
  const loop = fakeLoop();
  void large(loop, "a", 2);
  void large(loop, "b", 2);
  while (!loop.isIdle()) await loop.run();
  expect(loop.seen.join(" ")).toBe("a | b | a | b |");
});

test("a small request waits for one slice at most, not for one in each of its turns", async () => {
  const loop = fakeLoop();
  void large(loop, "a", 100);
  void large(loop, "b", 100);
  for (let i = 0; i < 5; i++) await loop.run();
  loop.seen.length = 0;
  void small(loop, 5);
  while (!loop.seen.includes("answer")) await loop.run();
  expect(loop.seen.filter((what) => what === "a" || what === "b")).toHaveLength(0);
});

test("large work goes on while there is always a small request", async () => {
  const loop = fakeLoop();
  let isOver = false;
  void (async () => {
    while (!isOver) await small(loop, 5);
  })();
  void large(loop, "a", 20).then(() => {
    isOver = true;
  });
  let turns = 0;
  for (; !isOver && turns < 10_000; turns++) await loop.run();
  expect(isOver).toBe(true);
  // Each small step takes 0.02 ms, in every other turn: 1.5 ms are 150 turns, of which a slice takes 30.
  expect(turns).toBeLessThan(20 * 160);
});

test("all who wait for the network before it is polled go on together, in the second turn", async () => {
  const { turns, seen, run } = fakeLoop();
  const wait = (name: string) => turns.polled().then(() => void seen.push(name));
  void wait("a");
  void wait("b");
  await run();
  void wait("c");
  await run();
  await run();
  expect(seen.join(" ")).toBe("| a b | c |");
  void turns.turn().then(() => void seen.push("d"));
  await run();
  expect(seen.at(-2)).toBe("d");
});
