/**
 * A separate process that writes 16 MB into a disk cache, for the test that allows less than that: the limit on file sizes
 * applies to a whole process. Prints the result as JSON. Called with the file's path.
 */
import { openDisk } from "../../src/cache/disk";
import { fakeOutside } from "../fake-outside";
import { entry, keyOf } from "./made";

const clock = fakeOutside();
const disk = openDisk(process.argv[2] ?? "", 64 * 2 ** 20, clock.outside);
let worked = 0;
for (let number = 0; number < 2_700; number++) {
  disk.keep(keyOf(number), entry(number, 1_536));
  if (number % 50 === 49) await clock.advance(1_000);
  if (disk.state().on) worked = number;
}
const found = disk.find([keyOf(0)]).size;
await clock.until(disk.close());
console.log(JSON.stringify({ worked, found, logs: clock.logs, sleeping: clock.sleeping() }));
