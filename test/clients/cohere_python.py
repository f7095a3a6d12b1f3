"""The `cohere` package, both versions of its client, told nothing but a base URL and a key, against the running executable.

Usage: cohere_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import sys

import cohere
from cohere.core.api_error import ApiError

from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)
root = base_url.removesuffix("/v1")

for url in (root, base_url):
    second = cohere.ClientV2(api_key=key, base_url=url)
    answer = second.embed(model=MODEL, texts=TEXTS, input_type="search_document", embedding_types=["float", "base64"])
    assert answer.embeddings.float_ == vectors
    assert len(answer.embeddings.base64) == len(TEXTS)
    assert answer.texts == TEXTS
    assert answer.meta.billed_units.input_tokens > 0
    inputs = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    assert second.embed(model=MODEL, inputs=inputs, input_type="search_query").embeddings.float_ == vectors

    first = cohere.Client(api_key=key, base_url=url)
    assert first.embed(model=MODEL, texts=TEXTS, input_type="search_document").embeddings == vectors
    # It sends 96 at a time, and puts the answers together.
    many = [f"text {i}" for i in range(200)]
    assert first.embed(model=MODEL, texts=many).embeddings == vectors_of(base_url, key, many)
    assert MODEL in [model.name for model in first.models.list(endpoint="embed").models]
    assert MODEL in [model.name for model in second.models.list().models]
    assert second.models.get(MODEL).endpoints == ["embed"]

for arguments, status, word in (
    ({"model": "nope", "texts": TEXTS}, 404, "nope"),
    ({"model": MODEL, "texts": ["a", ""]}, 400, "texts[1]"),
    ({"model": MODEL, "texts": TEXTS, "embedding_types": ["int8"]}, 400, "int8"),
    ({"model": MODEL, "texts": TEXTS, "output_dimension": 7}, 400, "7"),
):
    try:
        cohere.ClientV2(api_key=key, base_url=root).embed(input_type="search_query", **arguments)
    except ApiError as error:
        assert error.status_code == status, error
        assert word in error.body["message"], error
    else:
        raise AssertionError(arguments)

try:
    cohere.ClientV2(api_key="eg-wrong", base_url=root).embed(model=MODEL, texts=TEXTS, input_type="search_query")
except cohere.UnauthorizedError as error:
    assert "API key" in str(error), error
else:
    raise AssertionError("a wrong key was taken")
