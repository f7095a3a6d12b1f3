/** A PostgreSQL primary and its streaming standby, of a test's own, in a temporary folder: .ci/postgres.sh says where the programs are. */
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const POSTGRES_BIN = process.env.EMBEDGATE_TEST_POSTGRES_BIN;

/** PostgreSQL refuses to run as root. */
const AS_POSTGRES = process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--"] : [];

async function run(program: string, ...words: readonly string[]): Promise<void> {
  const child = Bun.spawn([...AS_POSTGRES, join(POSTGRES_BIN ?? "", program), ...words], {
    cwd: tmpdir(),
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await child.exited) !== 0)
    throw new Error(`${program} failed: ${await new Response(child.stderr).text()}`);
}

export interface Servers extends AsyncDisposable {
  /** Of both, the primary first; each alone. */
  readonly url: string;
  readonly primary: string;
  readonly standby: string;
  /** Without a word to anybody, as a machine that loses its power. */
  killPrimary(): Promise<void>;
  promote(): Promise<void>;
}

/** @param isSynchronous a commit is acknowledged once the standby shows it; else the standby may lack the last ones */
export async function startServers(isSynchronous: boolean): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-servers-"));
  chmodSync(folder, 0o777);
  const [first, second] = [join(folder, "first"), join(folder, "second")];
  const [port, otherPort] = [freePort(), freePort()];
  const start = (data: string) => run("pg_ctl", "-D", data, "-l", join(folder, "log"), "-w", "start");
  const stop = (data: string) => run("pg_ctl", "-D", data, "-m", "immediate", "stop").catch(() => undefined);
  await run("initdb", "-D", first, "-U", "postgres", "-A", "trust", "--no-sync");
  appendFileSync(
    join(first, "postgresql.conf"),
    `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nmax_connections = 100\n`,
  );
  await start(first);
  await run(
    "pg_basebackup",
    "-D",
    second,
    "-h",
    "127.0.0.1",
    "-p",
    String(port),
    "-U",
    "postgres",
    "-R",
    "-c",
    "fast",
    "--no-sync",
  );
  appendFileSync(join(second, "postgresql.conf"), `port = ${otherPort}\n`);
  await start(second);
  if (isSynchronous) {
    appendFileSync(
      join(first, "postgresql.conf"),
      "synchronous_standby_names = '*'\nsynchronous_commit = remote_apply\n",
    );
    await run("pg_ctl", "-D", first, "reload");
  }
  const hosts = [`127.0.0.1:${port}`, `127.0.0.1:${otherPort}`] as const;
  const at = (host: string) => `postgres://postgres@${host}/postgres?sslmode=disable`;
  return {
    url: `${at(hosts.join(","))}&target_session_attrs=read-write`,
    primary: at(hosts[0]),
    standby: at(hosts[1]),
    killPrimary: () => stop(first),
    promote: () => run("pg_ctl", "-D", second, "-w", "promote"),
    async [Symbol.asyncDispose]() {
      await stop(first);
      await stop(second);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}
