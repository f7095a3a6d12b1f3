/** `embedgate check`: says all that is wrong with a routing file at once, and what it comes to where nothing is. */
import { configured } from "../serving/configured";

export async function check(options: { readonly config?: string }): Promise<number> {
  const config = await configured(options.config);
  if (!config) return 1;
  const ready = [...config.providers.values()].filter(
    ({ missing_variables }) => missing_variables.length === 0,
  ).length;
  const what = `${config.models.size} models, ${ready} of ${config.providers.size} providers configured`;
  console.log(`${config.file ?? "the built-in configuration"} is right: ${what}.`);
  return 0;
}
