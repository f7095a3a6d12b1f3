/** Small components that several views use: a command to copy, a problem, a choice, a field. */
import { useSignal } from "@preact/signals";
import { type ComponentChildren, cloneElement, type VNode } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { copy, later } from "./browser";

export function Copied({ text, label = "Copy" }: { readonly text: string; readonly label?: string }) {
  const said = useSignal("");
  return (
    <button
      type="button"
      class="plain"
      aria-label={`${label}: ${text.slice(0, 80)}`}
      onClick={async () => {
        said.value = (await copy(text)) ? "Copied" : "Select it and copy";
        later(2_000, () => {
          said.value = "";
        });
      }}
    >
      <span aria-live="polite">{said.value || label}</span>
    </button>
  );
}

export const Command = ({ text }: { readonly text: string }) => (
  <span class="command">
    <code>{text}</code>
    <Copied text={text} />
  </span>
);

export const Problem = ({ text }: { readonly text: string | undefined }) =>
  text === undefined || text === "" ? null : (
    <p class="problem" role="alert">
      {text}
    </p>
  );

interface ChoiceProperties<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [value: Value, words: string])[];
  readonly choose: (value: Value) => void;
}

/** A few options side by side. */
export function Choice<Value extends string>({ label, value, options, choose }: ChoiceProperties<Value>) {
  return (
    <fieldset class="choice">
      <legend class="hidden">{label}</legend>
      {options.map(([own, words]) => (
        <label key={own}>
          <input type="radio" name={label} checked={own === value} onChange={() => choose(own)} />
          <span>{words}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface FieldProperties {
  readonly label: string;
  readonly hint?: string;
  /** The control. */
  readonly children: VNode<{ readonly id?: string; readonly "aria-describedby"?: string | undefined }>;
}

/** A control with its label above and a hint below. */
export function Field({ label, hint, children }: FieldProperties) {
  const id = useId();
  const about = hint === undefined ? undefined : `${id}-hint`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {cloneElement(children, { id, "aria-describedby": about })}
      {hint === undefined ? null : <small id={about}>{hint}</small>}
    </div>
  );
}

interface DialogProperties {
  readonly title: string;
  /** It was closed, by a button or with Escape. */
  readonly closed: () => void;
  /** @param close closes it as Escape does */
  readonly children: (close: () => void) => ComponentChildren;
}

/** A dialog that is open while it is rendered. Its end gives the focus back to the control that opened it. */
export function Dialog({ title, closed, children }: DialogProperties) {
  const place = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const { current } = place;
    current?.showModal();
    return () => current?.close();
  }, []);
  return (
    <dialog ref={place} aria-labelledby={id} onClose={closed}>
      <h2 id={id}>{title}</h2>
      {children(() => place.current?.close())}
    </dialog>
  );
}

const BAR_PIXELS = 90;

/** @param share of the longest possible bar, 0 to 1 */
export const Bar = ({
  share,
  children,
}: {
  readonly share: number;
  readonly children: ComponentChildren;
}) => (
  <span class="bar">
    <i style={{ width: `${Math.round(Math.min(1, Math.max(0, share)) * BAR_PIXELS)}px` }} />
    {children}
  </span>
);

export const Waiting = () => <p class="empty waiting">Loading …</p>;
