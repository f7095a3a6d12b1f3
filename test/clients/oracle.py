"""What /v1/embeddings itself answers: the vectors that each client must get."""

import json
import urllib.request

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["one", "two", "three", "one"]


def vectors_of(base_url, key, texts, model=MODEL):
    body = json.dumps({"model": model, "input": texts}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{base_url}/embeddings", body, headers)) as answer:
        return [entry["embedding"] for entry in json.load(answer)["data"]]
