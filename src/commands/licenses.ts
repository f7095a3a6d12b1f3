/**
 * `embedgate licenses`: the licences of everything in the executable, from texts that it contains. The packages are those that the bundler
 * included (packages.json, written by `bun run docs`); Bun and the built-in model have their own texts.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import apache from "../../LICENSE" with { type: "text" };
import packageJson from "../../package.json";
import modelLicense from "../../plugins/local/LICENSE" with { type: "text" };
import modelNotice from "../../plugins/local/NOTICE" with { type: "text" };
import { json } from "./json";
import bun from "./licenses/bun.txt" with { type: "text" };
import libraryLicense from "./licenses/lgpl-2.0.txt" with { type: "text" };
import lesserLicense from "./licenses/lgpl-2.1.txt" with { type: "text" };
import packages from "./licenses/packages.json";

export interface CarriedPackage {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression. */
  readonly license: string;
  readonly texts: readonly string[];
}

const Packages = Type.Array(
  Type.Object({
    name: Type.String(),
    version: Type.String(),
    license: Type.String(),
    texts: Type.Array(Type.String()),
  }),
);

/** @param bunVersion the version of Bun inside the executable */
export function allLicenses(bunVersion = Bun.version): readonly CarriedPackage[] {
  return [
    { name: "embedgate", version: packageJson.version, license: packageJson.license, texts: [apache] },
    {
      name: "all-MiniLM-L6-v2",
      version: "int8",
      license: "Apache-2.0",
      texts: [modelNotice, ...(modelLicense === apache ? [] : [modelLicense])],
    },
    {
      name: "bun",
      version: bunVersion,
      license: "MIT AND LGPL-2.0-or-later AND LGPL-2.1-or-later",
      texts: [bun, libraryLicense, lesserLicense],
    },
    ...Value.Parse(Packages, packages),
  ];
}

interface LicensesOptions {
  readonly list?: boolean;
  readonly json?: boolean;
}

export async function licenses({ list, json: asJson }: LicensesOptions): Promise<number> {
  const all = allLicenses();
  if (asJson) console.log(json(list ? all.map(({ texts: _, ...one }) => one) : all));
  else if (list) for (const { name, version, license } of all) console.log(`${name} ${version}: ${license}`);
  else
    for (const { name, version, license, texts } of all)
      console.log(
        `${"=".repeat(80)}\n${name} ${version}: ${license}\n\n${texts.map((text) => text.trim()).join("\n\n")}\n`,
      );
  return 0;
}
