"""boto3 and LangChain's BedrockEmbeddings, told nothing but an endpoint and a key, against the running executable.

Usage: aws_python.py BASE_URL KEY SECURE_URL. Exits 1 at the first thing that is not as its users expect. Both send a bearer token over https
only: AWS_CA_BUNDLE holds the authority of SECURE_URL.
"""

import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from langchain_aws import BedrockEmbeddings

from oracle import MODEL, TEXTS, vectors_of

base_url, key, secure_url = sys.argv[1:]
vectors = vectors_of(base_url, key, TEXTS)
root = secure_url.removesuffix("/v1")
os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile"


def runtime(endpoint, **more):
    return boto3.client("bedrock-runtime", endpoint_url=endpoint, region_name="us-east-1", **more)


def invoke(client, model, body):
    answer = client.invoke_model(modelId=model, body=json.dumps(body))
    assert int(answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"]) > 0
    return json.load(answer["body"])


for endpoint in (root, f"{root}/", f"{secure_url}/aws-bedrock"):
    client = runtime(endpoint)
    foundation = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
    for model in (MODEL, f"us.{MODEL}", foundation, f"{ARN}/a1b2c3d4e5f6"):
        assert invoke(client, model, {"inputText": TEXTS[1]})["embedding"] == vectors[1], model
    assert invoke(client, MODEL, {"texts": TEXTS, "input_type": "search_document"})["embeddings"] == vectors

# The first is unknown; of the second the routing file says nothing.
for model, word in (("nope", "nope"), (f"{ARN}/nope", "`nope: { alias_of: MODEL }` to `models` in the routing file")):
    try:
        client.invoke_model(modelId=model, body=json.dumps({"inputText": "a"}))
    except client.exceptions.ResourceNotFoundException as error:
        assert word in error.response["Error"]["Message"], error
    else:
        raise AssertionError(model)
try:
    client.invoke_model(modelId=MODEL, body=json.dumps({"inputText": ""}))
except client.exceptions.ValidationException as error:
    assert "inputText" in error.response["Error"]["Message"], error
else:
    raise AssertionError("an empty text was taken")

titan = "amazon.titan-embed-text-v2:0"
for model, more in ((titan, {}), ("cohere.embed-english-v3", {}), (f"{ARN}/a1b2c3d4e5f6", {"provider": "amazon"})):
    embeddings = BedrockEmbeddings(model_id=model, endpoint_url=root, region_name="us-east-1", **more)
    assert embeddings.embed_documents(TEXTS) == vectors, model
    assert embeddings.embed_query(TEXTS[1]) == vectors[1], model

del os.environ["AWS_BEARER_TOKEN_BEDROCK"]
signing = runtime(root, aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wJalrXUtnFEMI/K7MDENG", config=Config(retries={"total_max_attempts": 1}))
try:
    invoke(signing, MODEL, {"inputText": "a"})
except ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDeniedException", error
    assert "AWS_BEARER_TOKEN_BEDROCK" in error.response["Error"]["Message"], error
else:
    raise AssertionError("a signature was taken")

print("boto3 and LangChain on AWS: right")
