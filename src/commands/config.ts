/** `embedgate config schema`: the routing file's JSON Schema, for editors. */
import { fileSchema } from "../serving/configured";

export async function printSchema(): Promise<number> {
  console.log(JSON.stringify(fileSchema(), null, 2));
  return 0;
}
