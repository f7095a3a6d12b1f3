/** Sets a signal from a control's event. */
import type { Signal } from "@preact/signals";

export function put<Value>(target: Signal<Value>, value: Value): void {
  target.value = value;
}

export const into =
  (target: Signal<string>) =>
  ({ currentTarget }: { readonly currentTarget: { readonly value: string } }): void =>
    put(target, currentTarget.value);
