"""The `voyageai` package, told nothing but a base URL and a key, against the running executable.

Usage: voyage_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import struct
import sys

import voyageai
from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
single = struct.Struct("f")
# It asks for base64, and gives float32.
vectors = [[single.unpack(single.pack(value))[0] for value in vector] for vector in vectors_of(base_url, key, TEXTS)]

for url in (base_url, base_url.removesuffix("/v1")):
    client = voyageai.Client(api_key=key, base_url=url)
    answer = client.embed(TEXTS, model=MODEL, input_type="document", truncation=True)
    assert [list(vector) for vector in answer.embeddings] == vectors
    assert answer.total_tokens > 0
    answer = client.embed(TEXTS, model=MODEL, output_dimension=len(vectors[0]), output_dtype="float")
    assert [list(vector) for vector in answer.embeddings] == vectors

for arguments, kind, word in (
    ({"model": "nope"}, voyageai.error.APIError, "`nope` does not exist"),
    ({"model": MODEL, "output_dtype": "int8"}, voyageai.error.InvalidRequestError, "int8"),
):
    try:
        client.embed(TEXTS, **arguments)
    except kind as error:
        assert word in str(error), error
    else:
        raise AssertionError(arguments)
