"""The `openai` package's AzureOpenAI, told nothing but an endpoint and a key, against the running executable.

Usage: azure_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import sys

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
