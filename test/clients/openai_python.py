"""The `openai` package for Python, unchanged but for base_url, against the running executable.

Usage: openai_python.py BASE_URL KEY REFERENCE_JSON. Exits 1 at the first thing that is not as its users expect.
"""

import base64
import json
import math
import struct
import sys

import openai

base_url, key, reference_path = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
MODEL = "all-MiniLM-L6-v2"

with open(reference_path, encoding="utf-8") as file:
    # An empty text is refused, as OpenAI does.
    rows = [row for row in json.load(file)["rows"] if row["text"]]
texts = [row["text"] for row in rows]


def floats(text):
    raw = base64.b64decode(text)
    return struct.unpack(f"<{len(raw) // 4}f", raw)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


# Its default asks for base64 and decodes it.
answer = client.embeddings.create(model=MODEL, input=texts)
assert [entry.index for entry in answer.data] == list(range(len(texts)))
assert answer.model == MODEL
assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0
cosines = [cosine(entry.embedding, floats(row["vector_base64"])) for entry, row in zip(answer.data, rows)]
assert sum(cosines) / len(cosines) >= 0.999, sum(cosines) / len(cosines)
assert min(cosines) >= 0.995, min(cosines)

# Floats are the same values.
plain = client.embeddings.create(model=MODEL, input=texts, encoding_format="float")
for one, other in zip(answer.data, plain.data):
    assert [struct.pack("<f", x) for x in one.embedding] == [struct.pack("<f", x) for x in other.embedding]

# One text, token ids, and what the SDK makes of headers and errors.
assert len(client.embeddings.create(model=MODEL, input="hello").data[0].embedding) == 384
assert len(client.embeddings.create(model=MODEL, input=[[15339, 1917], [15339]]).data) == 2
raw = client.embeddings.with_raw_response.create(model=MODEL, input="hello")
assert raw.headers["x-request-id"].startswith("req_")
assert raw.parse()._request_id == raw.headers["x-request-id"]
assert MODEL in [model.id for model in client.models.list()]
assert client.models.retrieve(MODEL).id == MODEL

try:
    client.embeddings.create(model=MODEL, input=["fine", ""])
    raise SystemExit("an empty input was accepted")
except openai.BadRequestError as error:
    assert (error.param, error.type) == ("input[1]", "invalid_request_error"), error
try:
    client.embeddings.create(model="nope", input="a")
    raise SystemExit("an unknown model was accepted")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error
try:
    openai.OpenAI(base_url=base_url, api_key="eg-wrong", max_retries=0).embeddings.create(model=MODEL, input="a")
    raise SystemExit("a wrong key was accepted")
except openai.AuthenticationError as error:
    assert error.code == "invalid_api_key", error

print(f"openai {openai.__version__} for Python: cosine mean {sum(cosines) / len(cosines):.5f}, min {min(cosines):.5f}")
