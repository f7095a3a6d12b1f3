/**
 * The paths of /v1/files and /v1/batches, and of the same under other wires' prefixes (`batchesAt`): each reads the request and answers with
 * OpenAI's object. src/batches/ does the work; src/door/docs/batches.ts has the texts of the OpenAPI document.
 */
import type { Batches } from "../batches/batches";
import { invalid } from "../batches/files";
import { batchObject, fileObject, listObject } from "../batches/objects";
import type { PageOf } from "../books/batch-records";
import { encodeError } from "../dialects/openai";
import { WIRES } from "../dialects/wires";
import type { Ending } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller } from "../domain/request";
import { unlessAborted } from "../domain/until";
import { readJsonBody } from "./body";
import type { DoorParts, Said, Served, Visit, Work } from "./parts";

type BatchPathParts = Pick<
  DoorParts,
  "batches" | "bodyMemory" | "bodyBytesMax" | "outside" | "underWay" | "auth" | "takeRequest" | "idleSeconds"
>;

type Respond = (visit: Visit, work: Work) => Promise<Response>;

/** A path for authenticated callers only, whose work a graceful shutdown waits for. */
type Known = (
  work: (visit: Visit, policies: Policies, caller: Caller, over: Ending) => Said | Promise<Said>,
) => Served["handle"];

/** How long an upload may pause. */
const SILENCE_MS = 60_000;
const BODY_MS = 600_000;
const FILES_MAX = 10_000;
const BATCHES_MAX = 100;
const BATCHES_USUAL = 20;

export function batchPaths(respond: Respond, parts: BatchPathParts): readonly Served[] {
  const { underWay, auth } = parts;
  const known: Known = (work) => (at) =>
    respond(at, ({ request, server }, _, speak) =>
      underWay.run(async (ending) => {
        const caller = await auth.identify(request);
        const policies = speak(caller);
        await parts.takeRequest(caller);
        await parts.batches()?.checkFolder(request.method === "POST");
        // An upload may take long.
        server?.timeout(request, 0);
        const gone = () => ending.abort(new GatewayError("cancelled", "The client closed the connection."));
        if (request.signal.aborted) gone();
        else request.signal.addEventListener("abort", gone);
        try {
          return await work(at, policies, caller, ending);
        } finally {
          server?.timeout(request, parts.idleSeconds);
        }
      }),
    );
  const opened = () => {
    const batches = parts.batches();
    if (batches) return batches;
    throw new GatewayError(
      "unknown_path",
      "Batches are disabled: the routing file says files: false, or files.folder is not set and the database is in memory or PostgreSQL.",
    );
  };
  /** Serves a path under each prefix. */
  function at(method: Served["method"], path: string, work: Parameters<Known>[0]): readonly Served[] {
    const handle = known(work);
    return WIRES.flatMap((wire) =>
      (wire.batchesAt ?? []).map((base) => ({ method, path: base + path, wire, handle })),
    );
  }
  return [
    ...at("POST", "/files", async ({ request }, _, { workspace }, over) => {
      const type = request.headers.get("content-type");
      const body = piecesOf(request, over, parts.outside);
      return json(fileObject(await opened().files.upload(workspace, type, body)));
    }),
    ...at("GET", "/files", async ({ request }, _, { workspace }) => {
      const { search, page } = pageOf(request, FILES_MAX, FILES_MAX);
      const purpose = search.get("purpose") ?? undefined;
      const found = await opened().files.list(workspace, purpose, oneMore(page));
      return json(listObject(found.map(fileObject), page.limit));
    }),
    ...at("GET", "/files/{file}", async ({ params }, _, { workspace }) =>
      json(fileObject(await opened().files.find(workspace, params.file ?? ""))),
    ),
    ...at("DELETE", "/files/{file}", async ({ params: { file: id = "" } }, _, { workspace }) => {
      await opened().files.remove(workspace, id);
      return json({ id, object: "file", deleted: true });
    }),
    ...at("GET", "/files/{file}/content", ({ params, request }, policies, { workspace }) =>
      contentOf(request, opened(), workspace, params.file ?? "", policies),
    ),
    ...at("POST", "/batches", async ({ request }, _, caller, over) => {
      const place = parts.bodyMemory.enter(caller.workspace);
      const late = new GatewayError("slow_body", "The body did not arrive within 10 min.");
      const callOff = parts.outside.alarm(BODY_MS, () => over.abort(late));
      try {
        const body = await readJsonBody(request, { over, bytesMax: parts.bodyBytesMax(), place });
        const batch = await opened().create(caller, body, request.headers.get("idempotency-key"));
        return json(batchObject(batch));
      } finally {
        callOff();
        place.leave();
      }
    }),
    ...at("GET", "/batches", async ({ request }, _, { workspace }) => {
      const { page } = pageOf(request, BATCHES_MAX, BATCHES_USUAL);
      const found = await opened().list(workspace, oneMore({ ...page, order: "desc" }));
      return json(listObject(found.map(batchObject), page.limit));
    }),
    ...at("GET", "/batches/{batch}", async ({ params }, _, { workspace }) =>
      json(batchObject(await opened().find(workspace, params.batch ?? ""))),
    ),
    ...at("POST", "/batches/{batch}/cancel", async ({ params }, _, { workspace }) =>
      json(batchObject(await opened().cancel(workspace, params.batch ?? ""))),
    ),
  ];
}

const json = (value: object): Said => ({ body: JSON.stringify(value), headers: {} });

/** Reads one more than the page has, to know whether there are more. */
const oneMore = (page: PageOf): PageOf => ({ ...page, limit: page.limit + 1 });

/** @throws GatewayError invalid */
function pageOf({ url }: Request, most: number, usual: number) {
  const search = new URL(url).searchParams;
  const said = search.get("limit") ?? String(usual);
  const limit = /^\d{1,6}$/.test(said) ? Number(said) : 0;
  if (limit < 1 || limit > most) throw invalid("limit", `must be a whole number from 1 to ${most}.`);
  const order = search.get("order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw invalid("order", 'must be "asc" or "desc".');
  const page: PageOf = { after: search.get("after") || undefined, limit, order };
  return { search, page };
}

/** The body as it arrives, with the timeouts above. */
async function* piecesOf(
  { body }: Request,
  over: Ending,
  { alarm }: Pick<Outside, "alarm">,
): AsyncGenerator<Uint8Array, void> {
  if (body === null)
    throw new GatewayError("invalid", "The body is empty: send a file as multipart/form-data.");
  const reader = body.getReader();
  const silent = new GatewayError("slow_body", "No data of the file arrived for 60 s.");
  try {
    for (;;) {
      const callOff = alarm(SILENCE_MS, () => over.abort(silent));
      try {
        const { done, value } = await unlessAborted(over, reader.read());
        if (done) return;
        yield value;
      } finally {
        callOff();
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** A file, or the one range of it that is requested (RFC 9110, 14). Other kinds of ranges are ignored, and the whole file is sent. */
async function contentOf(
  { headers, method }: Request,
  { files }: Batches,
  workspace: string,
  id: string,
  policies: Policies,
): Promise<Said> {
  const file = await files.find(workspace, id);
  const { bytes, filename } = file;
  const range = rangeIn(headers.get("range"), bytes);
  const about = {
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(filename.toWellFormed())}`,
  };
  if (range === "none") {
    const error = new GatewayError(
      "invalid",
      `The range starts after the end of the file, which has ${bytes} bytes.`,
      {
        field: "Range",
      },
    );
    return {
      status: 416,
      body: encodeError(error, policies),
      headers: { "content-range": `bytes */${bytes}`, "content-type": "application/json" },
    };
  }
  const { from, to } = range ?? { from: 0, to: bytes };
  return {
    status: range ? 206 : 200,
    body: method === "HEAD" || from === to ? "" : files.read(file, from, to),
    headers: { ...about, ...(range && { "content-range": `bytes ${from}-${to - 1}/${bytes}` }) },
  };
}

function rangeIn(
  header: string | null,
  bytes: number,
): { readonly from: number; readonly to: number } | "none" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first === "") {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? "none" : { from: bytes - length, to: bytes };
  }
  if (last !== "" && Number(last) < Number(first)) return undefined;
  if (Number(first) >= bytes) return "none";
  return { from: Number(first), to: last === "" ? bytes : Math.min(bytes, Number(last) + 1) };
}
