"""The `ollama` package for Python, told nothing but a host and a key, against the running executable. docs/wires.md shows it.

Usage: ollama_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import json
import sys
import urllib.request

import ollama

base_url, key = sys.argv[1:]
bearer = {"authorization": f"Bearer {key}"}
MODEL = "all-MiniLM-L6-v2"
TEXTS = ["one", "two", "three", "one"]


def as_openai(texts):
    body = json.dumps({"model": MODEL, "input": texts}).encode()
    headers = {**bearer, "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{base_url}/embeddings", body, headers)) as answer:
        return [entry["embedding"] for entry in json.load(answer)["data"]]


vectors = as_openai(TEXTS)
# With the version behind the host, as people write it, and without.
for host in (base_url, base_url.removesuffix("/v1"), f"{base_url}/"):
    client = ollama.Client(host=host, headers=bearer)
    answer = client.embed(model=MODEL, input=TEXTS)
    assert [list(vector) for vector in answer.embeddings] == vectors
    assert answer.model == MODEL
    assert answer.prompt_eval_count > 0
    assert answer.total_duration > 0
    assert [list(one) for one in client.embed(model=f"{MODEL}:latest", input=TEXTS[0]).embeddings] == vectors[:1]
    assert list(client.embeddings(model=MODEL, prompt=TEXTS[1]).embedding) == vectors[1]

client = ollama.Client(host=base_url, headers=bearer)
assert client.list().models[0].model == f"{MODEL}:latest"
shown = client.show(MODEL)
assert shown.modelinfo["embedgate.embedding_length"] == 384
assert shown.capabilities == ["embedding"]
assert client.ps().models == []
assert list(client.embed(model=MODEL, input="").embeddings) == []

for arguments, status, word in (
    ({"model": "nope", "input": "a"}, 404, "nope"),
    ({"model": MODEL, "input": "a", "dimensions": 7}, 400, "7"),
):
    try:
        client.embed(**arguments)
    except ollama.ResponseError as error:
        assert error.status_code == status, error.status_code
        assert word in error.error, error.error
    else:
        raise AssertionError(arguments)

try:
    ollama.Client(host=base_url).embed(model=MODEL, input="a")
except ollama.ResponseError as error:
    assert error.status_code == 401
else:
    raise AssertionError("no key was needed")
