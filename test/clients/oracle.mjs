/**
 * What /v1/embeddings itself answers: the vectors that each client must get.
 */
export const model = "all-MiniLM-L6-v2";
export const input = ["one", "two", "three", "one"];

export async function vectorsOf(baseURL, key, texts) {
  const answer = await fetch(`${baseURL}/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, input: texts }),
  });
  return (await answer.json()).data.map(({ embedding }) => embedding);
}
