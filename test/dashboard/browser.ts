/**
 * The dashboard in a real Chromium: its console messages, the hosts that it contacts, and axe's results. `.ci/run` installs Chromium; if it is
 * missing, or not where CHROMIUM says, the tests that need it are skipped.
 */
import { expect } from "bun:test";
import axe, { type AxeResults } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

export const CHROMIUM =
  process.env.CHROMIUM ?? Bun.which("chromium") ?? Bun.which("chromium-browser") ?? undefined;

export interface Screen {
  readonly width: number;
  readonly scheme: "light" | "dark";
}

const HEIGHT = 900;
const SCHEMES = ["light", "dark"] as const;
export const DESK: Screen = { width: 1_440, scheme: "light" };
export const PHONE: Screen = { width: 380, scheme: "dark" };

export interface Shown extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the console, of the script, of the network. */
  readonly complaints: string[];
  /** All hosts that were contacted. */
  readonly hosts: Set<string>;
  /** Every requested path, in order. */
  readonly asked: string[];
  goTo(hash: string, heading: string | RegExp): Promise<void>;
  /**
   * Fails for problems of readers with a screen reader or without a mouse, and for a page wider than its screen: on both screens, light and
   * dark.
   */
  checkAccess(): Promise<void>;
}

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM ?? "chromium", args: ["--no-sandbox", "--disable-gpu"] });

/** @param adminKey signs in with it first; left out: no key is needed */
export async function show(browser: Browser, url: string, screen: Screen, adminKey?: string): Promise<Shown> {
  const page = await browser.newPage({
    viewport: { width: screen.width, height: HEIGHT },
    colorScheme: screen.scheme,
  });
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  const hosts = new Set<string>();
  const asked: string[] = [];
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") complaints.push(line.text());
  });
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("request", (request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith("http")) {
      hosts.add(address.host);
      asked.push(`${request.method()} ${address.pathname}`);
    }
  });
  await page.goto(url);
  if (adminKey !== undefined) {
    await page.getByLabel("Admin key").fill(adminKey);
    await page.getByRole("button", { name: "Sign in" }).click();
  }
  await page.getByRole("navigation").waitFor();
  return {
    page,
    complaints,
    hosts,
    asked,
    async goTo(hash, heading) {
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await page.getByRole("heading", { level: 1, name: heading }).waitFor();
      await page.getByText("Loading …").first().waitFor({ state: "detached" });
    },
    async checkAccess() {
      await page.evaluate(axe.source);
      for (const { width } of [screen, screen.width === DESK.width ? PHONE : DESK]) {
        await page.setViewportSize({ width, height: HEIGHT });
        for (const scheme of SCHEMES) {
          await page.emulateMedia({ colorScheme: scheme });
          // The other scheme differs in colours alone.
          const rules = scheme === screen.scheme ? "" : '{ runOnly: ["color-contrast"] }';
          const { violations } = await page.evaluate<AxeResults>(`axe.run(${rules})`);
          expect(
            violations.flatMap(({ id, nodes }) =>
              nodes.map(({ html, failureSummary }) => ({ id, html, failureSummary, width, scheme })),
            ),
          ).toEqual([]);
        }
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([width, wider]).toEqual([width, Math.min(0, wider)]);
      }
      await page.setViewportSize({ width: screen.width, height: HEIGHT });
      await page.emulateMedia({ colorScheme: screen.scheme });
    },
    [Symbol.asyncDispose]: () => page.close(),
  };
}
