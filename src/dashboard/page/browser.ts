/**
 * Everything that the page takes from the browser: clock, network, timers, clipboard. No other file of the dashboard does, so the others
 * are pure functions.
 */

export const now = () => Date.now();

export const send = (path: string, init?: RequestInit) => fetch(path, init);

/** Runs `work` repeatedly, `seconds` after it ended, and not while the page is hidden. @returns a function that stops it */
export function whileSeen(seconds: number, work: () => Promise<void>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const wait = () => {
    clearTimeout(timer);
    if (!isOver && !document.hidden) timer = setTimeout(run, seconds * 1_000);
  };
  const run = () => {
    clearTimeout(timer);
    void work().finally(wait);
  };
  const seen = () => (document.hidden ? clearTimeout(timer) : run());
  document.addEventListener("visibilitychange", seen);
  wait();
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}

export const later = (ms: number, work: () => void) => setTimeout(work, ms);

/** @returns whether the browser allowed it */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export function download(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** Runs `changed` when the system switches between light and dark. */
export function onSchemeChange(changed: () => void): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}

/** The value of a custom property of the stylesheet, such as --accent. */
export const styleOf = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const SIGNED_IN = "embedgate signed in";

/** Whether there may be a session: scripts cannot see its cookie. */
export const maySession = () =>
  document.documentElement.dataset.mode === "open" || localStorage.getItem(SIGNED_IN) !== null;

export function rememberSession(isThere: boolean): void {
  if (isThere) localStorage.setItem(SIGNED_IN, "1");
  else localStorage.removeItem(SIGNED_IN);
}
