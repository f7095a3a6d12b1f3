"""The `openai` package's AzureOpenAI, told nothing but an endpoint and a key, against the running executable.

Usage: azure_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import json
import sys
import time

import openai
from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)
root = base_url.removesuffix("/v1")

for arguments in (
    {"azure_endpoint": root},
    {"azure_endpoint": f"{root}/"},
    {"azure_endpoint": root, "azure_deployment": MODEL},
    {"base_url": f"{root}/openai"},
):
    client = openai.AzureOpenAI(api_key=key, api_version="2024-10-21", **arguments)
    answer = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
    assert [entry.embedding for entry in answer.data] == vectors, arguments
# The deployment of the path wins over the body's model.
client = openai.AzureOpenAI(api_key=key, api_version="2024-10-21", azure_endpoint=root, azure_deployment=MODEL)
answer = client.embeddings.create(model="text-embedding-ada-002", input=TEXTS, encoding_format="float")
assert [entry.embedding for entry in answer.data] == vectors
assert MODEL in [model.id for model in client.models.list()]

newer = openai.OpenAI(api_key=key, base_url=f"{root}/openai/v1/")
answer = newer.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
assert [entry.embedding for entry in answer.data] == vectors

unknown = openai.AzureOpenAI(api_key=key, api_version="2024-10-21", azure_endpoint=root)
try:
    unknown.embeddings.create(model="nope", input=TEXTS)
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error
else:
    raise AssertionError("nope")

# Its batch code, by api-version and at the v1 API.
for client in (unknown, newer):
    lines = [
        {"custom_id": str(i), "method": "POST", "url": "/embeddings", "body": {"model": MODEL, "input": text}}
        for i, text in enumerate(TEXTS)
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    uploaded = client.files.create(file=("input.jsonl", content), purpose="batch")
    assert uploaded.status == "processed" and client.files.content(uploaded.id).read() == content
    batch = client.batches.create(input_file_id=uploaded.id, endpoint="/embeddings", completion_window="24h")
    while batch.status in ("validating", "in_progress", "finalizing"):
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("completed", len(TEXTS)), batch
    rows = [json.loads(row) for row in client.files.content(batch.output_file_id).text.splitlines()]
    got = [row["response"]["body"]["data"][0]["embedding"] for row in rows]
    assert all(max(abs(a - b) for a, b in zip(*pair)) < 1e-3 for pair in zip(got, vectors, strict=True))
    assert batch.id in [one.id for one in client.batches.list(limit=5)]
    client.files.delete(uploaded.id)
