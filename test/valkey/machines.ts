/**
 * Several gateways, each as on its own machine with its own database, that share only a server and a provider.
 * Further settings of a test's routing file are its `more`.
 */
import { type OpenGateway, openGateway, type Sent } from "../gateway";
import { startUpstream, type Upstream } from "../serving";

/** An alarm that never fires. */
export const NEVER = () => () => undefined;

export interface Machines extends AsyncDisposable {
  readonly gateways: readonly OpenGateway[];
  readonly upstream: Upstream;
  /** Calls that the provider got. */
  readonly calls: () => number;
  /** Asks the nth machine for the vector of a text. */
  ask(machine: number, input: string | readonly string[]): Promise<Sent>;
}

export interface MachinesParts {
  readonly count: number;
  /** Of the routing file, including `shared`. */
  readonly more: string;
  readonly holds?: boolean;
  /** No answer of the server is too late, on a busy machine; nothing is renewed, and nothing is polled. */
  readonly isPatient?: boolean;
}

export async function openMachines({
  count,
  more,
  holds = false,
  isPatient = false,
}: MachinesParts): Promise<Machines> {
  let calls = 0;
  const onCall = () => {
    calls += 1;
  };
  const upstream = startUpstream({ holds, onCall });
  const yaml = `
providers:
  p: { plugin: openai, base_url: ${upstream.url}, api_key: k }
models:
  m: { routes: [ { provider: p } ] }
# Each database would have measured the space at another time, and so have vectors of its own.
space_probe: false
${more}
`;
  const gateways = await Promise.all(
    Array.from({ length: count }, () => openGateway({ yaml, outside: isPatient ? { alarm: NEVER } : {} })),
  );
  return {
    gateways,
    upstream,
    calls: () => calls,
    async ask(machine, input) {
      const gateway = gateways[machine];
      if (!gateway) throw new Error(`no machine ${machine}`);
      return gateway.post({ model: "m", input });
    },
    async [Symbol.asyncDispose]() {
      upstream[Symbol.dispose]();
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
    },
  };
}
