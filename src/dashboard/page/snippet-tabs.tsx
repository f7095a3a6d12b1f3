/** The last request as code to copy. */
import { useSignal } from "@preact/signals";
import { Choice, Copied } from "./pieces";
import { needsKey, results } from "./playground-state";
import { SNIPPETS } from "./snippets";

export function Snippets() {
  const chosen = useSignal(SNIPPETS[0]?.[0] ?? "");
  const [result] = results.value;
  const write = SNIPPETS.find(([name]) => name === chosen.value)?.[1];
  if (!result || !write) return null;
  const text = write({
    origin: location.origin,
    model: result.model,
    texts: result.lines,
    needsKey: needsKey(),
  });
  return (
    <section>
      <div class="caption">
        <h2>The same as code</h2>
        <Choice
          label="Language"
          value={chosen.value}
          options={SNIPPETS.map(([name]) => [name, name] as const)}
          choose={(name) => {
            chosen.value = name;
          }}
        />
        <Copied text={text} />
      </div>
      {needsKey() ? (
        <p class="quiet">
          <code>EMBEDGATE_KEY</code> is an environment variable with a caller's key, such as the one above.
        </p>
      ) : null}
      <pre class="scroll" tabIndex={0}>
        <code>{text}</code>
      </pre>
    </section>
  );
}
