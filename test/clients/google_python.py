"""The `google-genai` package, told nothing but a base URL and a key, against the running executable.

Usage: google_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import sys

from google import genai
from google.genai import errors, types
from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)
root = base_url.removesuffix("/v1")

for url in (root, f"{root}/", f"{base_url}/gemini"):
    for version in (None, "v1beta"):
        options = types.HttpOptions(base_url=url, api_version=version)
        client = genai.Client(api_key=key, http_options=options)
        answer = client.models.embed_content(model=MODEL, contents=TEXTS)
        assert [embedding.values for embedding in answer.embeddings] == vectors, url
        config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=len(vectors[0]))
        answer = client.models.embed_content(model=MODEL, contents=TEXTS[0], config=config)
        assert [embedding.values for embedding in answer.embeddings] == vectors[:1]
        assert MODEL in [str(model.name).removeprefix("models/") for model in client.models.list()]
        assert client.models.get(model=MODEL).display_name == MODEL

# Vertex AI, by a key and by a project.
vertex = genai.Client(vertexai=True, api_key=key, http_options=types.HttpOptions(base_url=root))
answer = vertex.models.embed_content(model=MODEL, contents=TEXTS)
assert [embedding.values for embedding in answer.embeddings] == vectors
assert all(embedding.statistics.token_count > 0 for embedding in answer.embeddings)

client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=root))
for arguments, status, word in (
    ({"model": "nope", "contents": TEXTS}, 404, "NOT_FOUND"),
    ({"model": MODEL, "contents": TEXTS, "config": {"output_dimensionality": 7}}, 400, "INVALID_ARGUMENT"),
):
    try:
        client.models.embed_content(**arguments)
    except errors.ClientError as error:
        assert (error.code, error.status) == (status, word), error
    else:
        raise AssertionError(arguments)
