"""The `mistralai` package, told nothing but a URL and a key, against the running executable.

Usage: mistral_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import sys

from mistralai.client import Mistral
from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)

for url in (base_url.removesuffix("/v1"), base_url):
    client = Mistral(api_key=key, server_url=url)
    answer = client.embeddings.create(model=MODEL, inputs=TEXTS)
    assert [entry.embedding for entry in answer.data] == vectors
    answer = client.embeddings.create(model=MODEL, inputs=TEXTS, output_dimension=len(vectors[0]), output_dtype="float")
    assert [entry.embedding for entry in answer.data] == vectors
    assert answer.usage.total_tokens > 0
    assert MODEL in [model.id for model in client.models.list().data]
    assert client.models.retrieve(model_id=MODEL).id == MODEL

try:
    client.embeddings.create(model="nope", inputs=TEXTS)
except Exception as error:
    assert "nope" in str(error), error
else:
    raise AssertionError("nope")
