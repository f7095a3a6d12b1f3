/**
 * The configuration without a routing file: the built-in model, for this machine only.
 * gateway.yaml in the repository says the same with comments; test/config/load.test.ts compares the two.
 */
export const DEFAULT_ROUTING_FILE = `
server:
  host: 127.0.0.1
  port: 8080

database: sqlite:./data/embedgate.db

auth:
  mode: auto

providers:
  local: { plugin: local }

models:
  all-MiniLM-L6-v2:
    routes: [ { provider: local } ]
`;
