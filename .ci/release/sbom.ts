/**
 * The software bill of materials, in CycloneDX 1.6 (cyclonedx.org/docs/1.6/json): every package in the executable, Bun, and the model inside.
 */
import { allLicenses, type CarriedPackage } from "../../src/commands/licenses";

/** @param at the date of the release, so that the same release has the same bytes */
export function sbom(at: Date): string {
  const [own, ...carried] = allLicenses().map(component);
  const version = own?.version ?? "";
  const digest = new Bun.CryptoHasher("sha256").update(JSON.stringify(carried)).digest("hex");
  return `${JSON.stringify(
    {
      $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      serialNumber: `urn:uuid:${uuidOf(digest)}`,
      version: 1,
      metadata: {
        timestamp: at.toISOString(),
        lifecycles: [{ phase: "build" }],
        component: own,
      },
      components: carried,
      dependencies: [
        { ref: `embedgate@${version}`, dependsOn: carried.map((one) => one["bom-ref"]).toSorted() },
        ...carried.map((one) => ({ ref: one["bom-ref"] })),
      ],
    },
    null,
    1,
  )}\n`;
}

const MODEL = "all-MiniLM-L6-v2";

function component({ name, version, license }: CarriedPackage) {
  const isExpression = license.includes(" ");
  return {
    type:
      name === "embedgate"
        ? "application"
        : name === MODEL
          ? "machine-learning-model"
          : name === "bun"
            ? "platform"
            : "library",
    "bom-ref": `${name}@${version}`,
    name,
    version,
    licenses: [isExpression ? { expression: license } : { license: { id: license } }],
    // The purl specification: the scope's @ is percent-encoded.
    ...(name === "embedgate" || name === MODEL
      ? {}
      : { purl: `pkg:${name === "bun" ? "github/oven-sh" : "npm"}/${name.replace("@", "%40")}@${version}` }),
  };
}

/** A UUID of version 8 (RFC 9562), whose bits can be chosen freely. */
function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex[16] ?? "0", 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
