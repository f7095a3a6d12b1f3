/** Small pieces that several views have: a command to copy, a problem, a choice, a field. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
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
  readonly children: ComponentChildren;
}

/** A control with its label above. */
export const Field = ({ label, hint, children }: FieldProperties) => (
  <div class="field">
    <label>
      <span>{label}</span>
      {children}
    </label>
    {hint ? <small>{hint}</small> : null}
  </div>
);

export const Waiting = () => <p class="empty">Loading …</p>;
