/** The dashboard without a mouse, in a real Chromium: every control by Tab with a visible focus, dialogs, and what a screen reader is told. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { CHROMIUM, DESK, launch, PHONE, type Shown, show } from "./browser";
import { number, press, tabThrough } from "./tabbing";
import { openWorld, type World } from "./world";

describe.skipIf(CHROMIUM === undefined)("the dashboard by keyboard", () => {
  let browser: Browser;
  let world: World;

  beforeAll(async () => {
    [browser, world] = await Promise.all([launch(), openWorld("planted", 120)]);
  });
  afterAll(async () => {
    await browser.close();
    await world[Symbol.asyncDispose]();
  });

  /** Every control is reached, in the order of the document, and seen; and the way back is the same. */
  async function checkTabs(page: Page): Promise<void> {
    const names = await number(page);
    const stops = await tabThrough(page, names.length);
    expect(names.filter((_, i) => !stops.some(({ index }) => index === i))).toEqual([]);
    expect(stops.map(({ index }) => index)).toEqual(names.map((_, i) => i));
    expect(stops.filter(({ isOutlined, isOnScreen }) => !isOutlined || !isOnScreen)).toEqual([]);
    expect((await press(page, "Shift+Tab")).index).toBe(names.length - 2);
  }

  const focused = (page: Page) =>
    page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.id);

  /** With what each loads last. */
  const VIEWS = [
    // The planted faults are told, each with its commands.
    ["#/well", /need/, "What failed"],
    ["#/money?by=metadata", "Money", /^batch-import, /],
    ["#/requests?until=1m&status=failed", "Requests", "Latest first"],
    ["#/access/search", "Workspaces and keys", "Keys of search"],
    ["#/models", "Models", "Models of the routing file"],
  ] as const;

  for (const screen of [DESK, PHONE])
    test(`every control is reached, in order, and seen: ${screen.width} px`, async () => {
      await using shown = await show(browser, world.url, screen, world.adminKey);
      const { page } = shown;
      // Nothing may come or go meanwhile.
      await page.clock.install();
      for (const [hash, heading, last] of VIEWS) {
        await shown.goTo(hash, heading);
        await page.getByRole("region", { name: last }).waitFor();
        await checkTabs(page);
      }
      await shown.goTo("#/playground", "Playground");
      await page.getByLabel("A caller's key").fill(world.callerKey);
      await page.getByLabel("Model", { exact: true }).selectOption("all-MiniLM-L6-v2");
      await page.getByLabel("A caller's key").press("Enter");
      await page.getByText("import OpenAI").or(page.getByText("curl http")).waitFor();
      await checkTabs(page);
      expect(shown.complaints).toEqual([]);
    });

  test("the first stop skips the navigation", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await number(page);
    const [first] = await tabThrough(page, 1);
    expect(first).toMatchObject({ name: "button Skip to the content", isOnScreen: true });
    await page.keyboard.press("Enter");
    expect(await focused(page)).toBe("main");
  });

  test("another view is told, and the focus is not lost where its link was", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    await page.getByRole("link", { name: "Requests", exact: true }).press("Enter");
    await page.getByRole("status").getByText("requests are shown").waitFor({ state: "attached" });
    expect(await page.title()).toBe("Requests · embedgate");
    const row = page.getByRole("region", { name: "Latest first" }).getByRole("link").nth(40);
    const story = await row.getAttribute("href");
    await row.press("Enter");
    await page.getByRole("region", { name: "Tokens and money" }).waitFor();
    expect([await focused(page), await page.evaluate(() => scrollY)]).toEqual(["main", 0]);
    await page.getByRole("link", { name: "← Requests" }).press("Enter");
    await page.waitForFunction((to) => document.activeElement?.getAttribute("href") === to, story);
    await page.getByRole("link", { name: "Money", exact: true }).press("Enter");
    await page.getByRole("status").getByText("Money", { exact: true }).waitFor({ state: "attached" });
  });

  test("a chart's numbers are in its table, which opens and scrolls by keyboard", async () => {
    await using shown = await show(browser, world.url, DESK, world.adminKey);
    const { page } = shown;
    const details = page.locator("details", { hasText: "Table of Requests a minute" });
    await details.locator("summary").press("Enter");
    await press(page, "Tab");
    await press(page, "Tab");
    expect(await focused(page)).toBe("Requests a minute");
    const region = page.getByRole("region", { name: "Requests a minute" });
    expect(await region.getByRole("row").count()).toBeGreaterThan(50);
    await page.keyboard.press("End");
    await page.waitForFunction(() => (document.querySelector("details[open] section")?.scrollTop ?? 0) > 100);
  });

  /** A dialog keeps the focus, Escape closes it, and the focus is back where it was. */
  async function checkDialog(shown: Shown, opener: string): Promise<void> {
    const { page } = shown;
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    const names = await number(page);
    for (let i = 0; i < names.length * 2 + 2; i++) {
      const { isInDialog, isOutlined, index } = await press(page, "Tab");
      // After its last control comes the browser itself.
      expect([isInDialog && isOutlined, index]).toEqual([index !== -1, index]);
    }
    await shown.checkAccess();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await focused(page)).toBe(opener);
  }

  test("dialogs keep the focus, end with Escape, and give it back", async () => {
    await using shown = await show(browser, world.url, PHONE, world.adminKey);
    const { page } = shown;
    await shown.goTo("#/access/search", "Workspaces and keys");
    const name = page.getByLabel("Name", { exact: true });
    await name.fill("by-keyboard");
    await name.press("Enter");
    await checkDialog(shown, (await name.getAttribute("id")) ?? "");
    for (const what of ["Rotate", "Revoke"]) {
      await page.getByRole("button", { name: `${what} by-keyboard` }).press("Enter");
      await checkDialog(shown, `${what} by-keyboard`);
    }
    await page.getByRole("button", { name: "Rotate by-keyboard" }).press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).press("Enter");
    await page.getByText("The secret of by-keyboard").waitFor();
    await checkDialog(shown, "Rotate by-keyboard");
    await page.getByRole("button", { name: "Revoke by-keyboard" }).press("Enter");
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).press("Enter");
    await page.getByRole("status").getByText("by-keyboard is revoked.").waitFor({ state: "attached" });
    expect(shown.complaints).toEqual([]);
  });
});
