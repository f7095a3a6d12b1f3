"""The `huggingface_hub` package's InferenceClient, told nothing but a URL and a token, against the running executable. docs/wires.md shows it.

Usage: hugging_face_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import json
import sys
import urllib.request

import numpy
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

base_url, key = sys.argv[1:]
root = base_url.removesuffix("/v1")
MODEL = "all-MiniLM-L6-v2"
TEXTS = ["one", "two", "three", "one"]

body = json.dumps({"model": MODEL, "input": TEXTS}).encode()
headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
with urllib.request.urlopen(urllib.request.Request(f"{base_url}/embeddings", body, headers)) as answer:
    vectors = numpy.array([entry["embedding"] for entry in json.load(answer)["data"]], dtype="float32")

# It posts to the URL itself: the model is the path's, or the gateway's default one.
for url in (
    root,
    base_url,
    f"{root}/tei/{MODEL}",
    f"{root}/tei/{MODEL}/embed",
    f"{root}/models/{MODEL}/pipeline/feature-extraction",
):
    for client in (InferenceClient(base_url=url, api_key=key), InferenceClient(model=url, token=key)):
        assert numpy.array_equal(client.feature_extraction(TEXTS), vectors), url
        assert numpy.array_equal(client.feature_extraction(TEXTS[0], normalize=True, truncate=True), vectors[:1])
        # As Haystack's embedders ask unless told otherwise.
        assert numpy.array_equal(client.feature_extraction(TEXTS, normalize=False, truncate=True), vectors)

for url, token, status, word in (
    (f"{root}/tei/nope", key, 404, "nope"),
    (root, "eg-wrong", 401, "API key"),
):
    try:
        InferenceClient(model=url, token=token).feature_extraction("a")
    except HfHubHTTPError as error:
        assert error.response.status_code == status, error
        assert word in str(error), error
    else:
        raise AssertionError(url)
