"""LangChain's embeddings for Ollama, Hugging Face and OpenAI, told nothing but a URL and a key, against the running executable.

Usage: langchain_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect. docs/wires.md shows Hugging Face's.
"""

import asyncio
import struct
import sys

from langchain_huggingface import HuggingFaceEndpointEmbeddings
from langchain_ollama import OllamaEmbeddings
from langchain_openai import OpenAIEmbeddings

from oracle import MODEL, TEXTS, vectors_of

base_url, key = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)
root = base_url.removesuffix("/v1")
bearer = {"headers": {"authorization": f"Bearer {key}"}}


def rounded(numbers):
    return [[struct.unpack("f", struct.pack("f", number))[0] for number in vector] for vector in numbers]


async def check(embeddings, of=lambda numbers: numbers):
    assert of(embeddings.embed_documents(TEXTS)) == of(vectors), embeddings
    assert of([embeddings.embed_query(TEXTS[1])]) == of(vectors[1:2]), embeddings
    assert of(await embeddings.aembed_documents(TEXTS)) == of(vectors), embeddings


async def main():
    for host in (root, f"{root}/"):
        await check(OllamaEmbeddings(model=MODEL, base_url=host, client_kwargs=bearer))
    # It asks for the list of models first.
    await check(OllamaEmbeddings(model=MODEL, base_url=root, validate_model_on_init=True, client_kwargs=bearer))
    try:
        OllamaEmbeddings(model="nope", base_url=root, client_kwargs=bearer).embed_query("a")
    except Exception as error:
        assert "nope" in str(error), error
    else:
        raise AssertionError("nope")

    # `model` takes no URL since 1.2.2 (langchain-ai/langchain#36831), `model_kwargs` does.
    for url in (root, f"{root}/tei/{MODEL}", f"{root}/models/{MODEL}/pipeline/feature-extraction"):
        await check(HuggingFaceEndpointEmbeddings(model_kwargs={"model": url}, huggingfacehub_api_token=key), rounded)
    # What LangChain's guide to text-embeddings-inference shows now: the OpenAI-compatible path (langchain-ai/docs#4726).
    for url in (base_url, root, f"{root}/tei/{MODEL}/v1", f"{root}/tei/{MODEL}"):
        await check(OpenAIEmbeddings(model=MODEL, base_url=url, api_key=key, check_embedding_ctx_length=False), rounded)


asyncio.run(main())
print("LangChain: right")
