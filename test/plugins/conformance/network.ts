/** The network of a plugin under test, where tests look for it; it is src/conformance/network.ts. */
export { createNetwork, type Network } from "../../../src/conformance/network";
