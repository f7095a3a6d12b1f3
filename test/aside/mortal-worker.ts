/**
 * The Worker of src/aside/ with a job that ends it midway, like a Worker that the system kills for its memory.
 * Another way to end is another word here.
 */
import "../../src/aside/worker";
import type { Order } from "../../src/aside/work";

declare const self: Worker;

const perform = self.onmessage;

self.onmessage = (event: MessageEvent<Order<"print">>) => {
  const [word] = event.data.job.page.words;
  if (word === "exit") process.exit(1);
  if (word === "throw") throw new Error("thrown past all handlers");
  perform?.call(self, event);
};
