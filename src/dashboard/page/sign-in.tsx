/** Sign-in: an admin key once, which becomes a cookie that no script can read. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { messageOf } from "./answer";
import { ended, signIn } from "./api";
import { into } from "./into";
import { Command, Field, Problem } from "./pieces";

export function SignIn() {
  const key = useSignal("");
  const problem = useSignal<string | undefined>(undefined);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <main class="sign-in">
      <h1>embedgate</h1>
      {ended.value ? <p role="status">{ended.value}</p> : null}
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          problem.value = undefined;
          try {
            await signIn(key.value);
          } catch (thrown) {
            problem.value = messageOf(thrown);
          }
        }}
      >
        <Field label="Admin key">
          <input
            ref={field}
            type="password"
            required
            autocomplete="current-password"
            value={key.value}
            onInput={into(key)}
          />
        </Field>
        <button type="submit">Sign in</button>
        <Problem text={problem.value} />
      </form>
      <p class="quiet">No admin key yet? On the gateway's machine:</p>
      <Command text="embedgate keys create --name ops --admin" />
    </main>
  );
}
