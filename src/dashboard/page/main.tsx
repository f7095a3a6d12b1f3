/** The dashboard in a browser: who may, the views and the way between them. A new view is a member of VIEWS. */
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { change, read, Refused, session } from "./api";
import { SignIn } from "./sign-in";
import { place, linkTo } from "./place";
import { Well } from "./well";

const VIEWS = {
  well: { name: "Is it well", View: Well },
} as const;

const viewOf = (name: string) => Object.entries(VIEWS).find(([own]) => own === name)?.[1] ?? VIEWS.well;

function Page() {
  useEffect(() => {
    read("/session").then(
      (said) => {
        session.value = said;
      },
      (thrown) => {
        if (thrown instanceof Refused && thrown.status !== 0) session.value = null;
      },
    );
  }, []);
  const { value } = session;
  if (value === undefined) return null;
  if (value === null) return <SignIn />;
  const { name, View } = viewOf(place.value.view);
  document.title = `${name} · embedgate`;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <nav aria-label="Views">
        <a class="brand" href="#/well">
          embedgate
        </a>
        <div class="views">
          {Object.entries(VIEWS).map(([view, { name: words }]) => (
            <a key={view} href={linkTo(view)} aria-current={words === name ? "page" : undefined}>
              {words}
            </a>
          ))}
        </div>
        <span class="who">
          {value.mode === "open" ? (
            <span class="quiet" title="No key exists yet: nobody needs one, and only this machine is answered.">
              open, this machine only
            </span>
          ) : (
            <button
              type="button"
              class="plain"
              onClick={async () => {
                await change("DELETE", "/admin/v1/session");
                session.value = null;
              }}
            >
              Sign out
            </button>
          )}
        </span>
      </nav>
      <main id="main" tabIndex={-1}>
        <View key={place.value.view} />
      </main>
      <footer>
        <a href="/swagger">API</a>
      </footer>
    </>
  );
}

render(<Page />, document.body);
