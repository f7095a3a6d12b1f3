/** The dashboard in a browser: sign-in, views and navigation. A new view is a member of VIEWS. */
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Access } from "./access";
import { useAnswer } from "./answer";
import { change, forget, read, session } from "./api";
import { maySession } from "./browser";
import { put } from "./into";
import { Models } from "./models";
import { Money } from "./money";
import { linkTo, place } from "./place";
import { Playground } from "./playground";
import { Requests } from "./requests";
import { bytes, duration } from "./say";
import { SignIn } from "./sign-in";
import { tell, told } from "./told";
import { Well } from "./well";

const VIEWS = {
  well: { name: "Is it well", View: Well },
  money: { name: "Money", View: Money },
  requests: { name: "Requests", View: Requests },
  access: { name: "Workspaces and keys", View: Access },
  models: { name: "Models", View: Models },
  playground: { name: "Playground", View: Playground },
} as const;

const viewOf = (name: string) => Object.entries(VIEWS).find(([own]) => own === name)?.[1] ?? VIEWS.well;

function Page() {
  useEffect(() => {
    if (maySession())
      read("/session").then(
        (said) => put(session, said),
        () => forget(),
      );
    else session.value = null;
  }, []);
  const { value } = session;
  const { view, rest } = place.value;
  const { name, View } = viewOf(view);
  const title = value === null ? "Sign in" : name;
  const isFirst = useRef(true);
  document.title = `${title} · embedgate`;
  useEffect(() => {
    if (isFirst.current || !value) {
      isFirst.current = !value;
      return;
    }
    tell(title);
    // The link that led here may be gone.
    if (document.activeElement === document.body) {
      focusMain();
      scrollTo(0, 0);
    }
  }, [title, rest, value]);
  if (value === undefined) return null;
  if (value === null) return <SignIn />;
  return (
    <>
      <button type="button" class="skip" onClick={focusMain}>
        Skip to the content
      </button>
      <nav aria-label="Views">
        <a class="brand" href="#/well">
          embedgate
        </a>
        <div class="views">
          {Object.entries(VIEWS).map(([own, { name: words }]) => (
            <a key={own} href={linkTo(own)} aria-current={words === name ? "page" : undefined}>
              {words}
            </a>
          ))}
        </div>
        <span class="who">
          {value.mode === "open" ? (
            <a
              class="quiet"
              href={linkTo("access")}
              title="No key exists yet: none is needed, and only requests from this machine are answered."
            >
              no keys yet: this machine only
            </a>
          ) : (
            <button
              type="button"
              class="plain"
              onClick={async () => {
                await change("DELETE", "/admin/v1/session");
                forget("You have signed out.");
              }}
            >
              Sign out
            </button>
          )}
        </span>
      </nav>
      <main id="main" tabIndex={-1}>
        <View key={view} />
      </main>
      <p class="hidden" role="status">
        {told.value}
      </p>
      <Footer />
    </>
  );
}

const focusMain = () => document.getElementById("main")?.focus();

function Footer() {
  const { said } = useAnswer("/gateway", {}, 60);
  return (
    <footer>
      {said ? (
        <>
          <span>embedgate {said.version}</span>
          <span>up for {duration(Date.parse(said.now) - Date.parse(said.started_at))}</span>
          <span>database {bytes(said.database_bytes)}</span>
        </>
      ) : null}
      <a href="/swagger">API documentation</a>
    </footer>
  );
}

render(<Page />, document.body);
