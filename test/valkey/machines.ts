/**
 * Several gateways, each as on a machine of its own with a database of its own, that have nothing in common but a server and a provider.
 * What a test's routing file says besides is its `more`.
 */
import { type OpenGateway, openGateway, type Sent } from "../gateway";
import { startUpstream, type Upstream } from "../serving";

/** An alarm that never rings. */
export const NEVER = () => () => undefined;

export interface Machines extends AsyncDisposable {
  readonly gateways: readonly OpenGateway[];
  readonly upstream: Upstream;
  /** Calls that the provider had. */
  readonly calls: () => number;
  /** The nth machine is asked for the vector of a text. */
  ask(machine: number, input: string | readonly string[]): Promise<Sent>;
}

export interface MachinesParts {
  readonly count: number;
  /** Of the routing file; `shared` among it. */
  readonly more: string;
  readonly holds?: boolean;
  /** No answer of the server is too late, on a machine that is busy with other things; nothing is renewed, and nothing asked again by itself. */
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
