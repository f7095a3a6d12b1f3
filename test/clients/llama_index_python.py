"""LlamaIndex's embeddings for Ollama and text-embeddings-inference, told nothing but a URL and a key, against the running executable.

Usage: llama_index_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import asyncio
import sys

from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)
root = base_url.removesuffix("/v1")


async def check(embedding):
    assert embedding.get_text_embedding_batch(TEXTS) == vectors, embedding
    assert embedding.get_query_embedding(TEXTS[1]) == vectors[1], embedding
    assert await embedding.aget_text_embedding_batch(TEXTS) == vectors, embedding


async def main():
    for host in (root, base_url):
        bearer = {"headers": {"authorization": f"Bearer {key}"}}
        await check(OllamaEmbedding(model_name=MODEL, base_url=host, client_kwargs=bearer))

    # Its name of the model only chooses the instruction that it puts before texts. The token is sent as it is, without "Bearer".
    for url in (root, f"{root}/tei/{MODEL}"):
        for token in (key, f"Bearer {key}", lambda _: key):
            await check(TextEmbeddingsInference(model_name="of no known instruction", base_url=url, auth_token=token))
    try:
        TextEmbeddingsInference(model_name="any", base_url=root, auth_token="eg-wrong").get_text_embedding("a")
    except KeyError:
        # It looks at no status (0.6.0): of any error it shows `KeyError: 0`.
        pass
    else:
        raise AssertionError("a wrong key was taken")


asyncio.run(main())
print("LlamaIndex: right")
