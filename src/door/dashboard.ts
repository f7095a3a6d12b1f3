/** Serves the dashboard's files. They need no key, because they contain only a form for one. Loaded at the first request. */
import type { Auth } from "../callers/auth";
import type { Said, Visit } from "./parts";

/** @returns undefined if there is no such file */
export async function dashboardFor(
  { request, params }: Pick<Visit, "request" | "params">,
  auth: Pick<Auth, "admitWithoutKey" | "isOpen">,
): Promise<Said | undefined> {
  auth.admitWithoutKey(request);
  const { answerFile, dashboardFile, OPEN_PAGE, PAGE } = await import("../dashboard/files");
  const file = dashboardFile(params.file ?? (auth.isOpen() ? OPEN_PAGE : PAGE));
  return file && answerFile(file, request);
}
