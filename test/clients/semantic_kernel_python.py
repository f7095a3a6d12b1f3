"""Semantic Kernel's connectors for Azure OpenAI, OpenAI and Ollama, told nothing but an endpoint and a key, against the running executable.

Usage: semantic_kernel_python.py BASE_URL KEY SECURE_URL. Exits 1 at the first thing that is not as its users expect. SSL_CERT_FILE holds the
authority of SECURE_URL, as Azure's connector takes no other endpoint.
"""

import asyncio
import struct
import sys

from openai import AsyncOpenAI
from semantic_kernel.connectors.ai.ollama import OllamaTextEmbedding
from semantic_kernel.connectors.ai.open_ai import AzureTextEmbedding, OpenAITextEmbedding

from oracle import MODEL, TEXTS, vectors_of

base_url, key, secure_url = sys.argv[1:]
root = base_url.removesuffix("/v1")
secure_root = secure_url.removesuffix("/v1")


def rounded(numbers):
    return [[struct.unpack("f", struct.pack("f", number))[0] for number in vector] for vector in numbers]


async def check(service):
    vectors = await service.generate_embeddings(TEXTS)
    assert rounded(vectors.tolist()) == expected, service


async def main():
    await check(AzureTextEmbedding(deployment_name=MODEL, endpoint=secure_root, api_key=key))
    await check(
        AzureTextEmbedding(deployment_name=MODEL, base_url=f"{root}/openai/deployments/{MODEL}", api_key=key)
    )
    client = AsyncOpenAI(base_url=base_url, api_key=key)
    await check(OpenAITextEmbedding(ai_model_id=MODEL, async_client=client))
    ollama = OllamaTextEmbedding(ai_model_id=MODEL, host=root)
    ollama.client._client.headers["authorization"] = f"Bearer {key}"
    await check(ollama)
    try:
        await AzureTextEmbedding(deployment_name="nope", endpoint=secure_root, api_key=key).generate_embeddings(TEXTS)
    except Exception as error:
        assert "nope" in str(error), error
    else:
        raise AssertionError("nope")


expected = rounded(vectors_of(base_url, key, TEXTS))
asyncio.run(main())
print("Semantic Kernel: right")
