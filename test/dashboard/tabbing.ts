/** Walks through a page with the Tab key, as one does without a mouse, and looks at each control that gets the focus. */
import type { Page } from "playwright-core";

export interface Stop {
  /** Position among the page's controls, in the order of the document; -1: none of them. */
  readonly index: number;
  readonly name: string;
  readonly isOutlined: boolean;
  readonly isOnScreen: boolean;
  readonly isInDialog: boolean;
}

const CONTROLS =
  'a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex="0"]';

/** Numbers the controls that can be seen. Of a group of radio buttons only the chosen one is a stop. @returns their names */
export const number = (page: Page): Promise<string[]> =>
  page.evaluate((controls) => {
    const root = document.querySelector("dialog[open]") ?? document;
    for (const old of document.querySelectorAll("[data-stop]")) old.removeAttribute("data-stop");
    return [...root.querySelectorAll<HTMLElement>(controls)]
      .filter(
        (element) =>
          element.checkVisibility() &&
          !(element instanceof HTMLInputElement && element.type === "radio" && !element.checked),
      )
      .map((element, i) => {
        element.dataset.stop = String(i);
        return element.getAttribute("aria-label") ?? element.textContent ?? "";
      });
  }, CONTROLS);

/** Presses a key, and tells where the focus is. */
export async function press(page: Page, key: string): Promise<Stop> {
  await page.keyboard.press(key);
  return page.evaluate(() => {
    const element = document.activeElement ?? document.body;
    // The look of a radio button is its label's.
    const shown =
      element instanceof HTMLInputElement && element.type === "radio"
        ? (element.nextElementSibling ?? element)
        : element;
    const { outlineStyle, outlineWidth } = getComputedStyle(shown);
    const { top, bottom, left, right } = shown.getBoundingClientRect();
    return {
      index: Number(element instanceof HTMLElement ? (element.dataset.stop ?? -1) : -1),
      name: `${element.localName} ${element.getAttribute("aria-label") ?? element.textContent ?? ""}`.slice(
        0,
        60,
      ),
      isOutlined: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1,
      isOnScreen: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
      isInDialog: element.closest("dialog") !== null,
    };
  });
}

/** Tabs once through all numbered controls, from the document's start. */
export async function tabThrough(page: Page, controls: number): Promise<Stop[]> {
  await page.evaluate(() => {
    // The next Tab begins where an element was that had the focus and is gone.
    const start = document.createElement("span");
    start.tabIndex = -1;
    document.body.prepend(start);
    start.focus();
    start.remove();
  });
  const stops: Stop[] = [];
  for (let i = 0; i < controls; i++) stops.push(await press(page, "Tab"));
  return stops;
}
