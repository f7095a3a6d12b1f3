/** What a screen reader is told of a change that is only seen otherwise, such as another page or other rows. Shown by main.tsx. */
import { signal } from "@preact/signals";

export const told = signal("");

export function tell(text: string): void {
  told.value = text;
}
