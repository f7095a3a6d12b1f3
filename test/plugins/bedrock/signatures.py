"""
Signs requests to Amazon Bedrock by botocore, at an instant of its own, and prints them: what the bedrock plugin must send, to the letter.
test/plugins/bedrock/signatures.json is its output; to make it again, with botocore 1.44.5:
python3 test/plugins/bedrock/signatures.py > test/plugins/bedrock/signatures.json
"""
import datetime
import json

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2027, 1, 15, 12, 0, 0)
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW

KEYS = ("AKIAQ7FAKE3EXAMPLE5J", "wJalrXUtnFEMIK7MDENGbPxRfiCYfakeEXAMPLEKEY", None)
ROLE = (
    "ASIAQ7FAKE9EXAMPLE2K",
    "8xKqFakeRoleSecretUtnFEMIbPxRfiCYz31Lm4tTQw",
    "IQoJb3JpZ2luX2VjEFakeSessionTokenOfARole0kq7Rr2Lx4Zc9Vb1Nm3Qw5Et7Yu9I",
)
# Region, model, its path as it is sent, text, keys, further headers.
CASES = [
    ("us-east-1", "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2%3A0", "one", KEYS, {}),
    ("eu-west-3", "us.amazon.titan-embed-text-v2:0", "us.amazon.titan-embed-text-v2%3A0", "naïve 日本語 🦜 \"\\\n", ROLE, {}),
    (
        "ap-southeast-2",
        "arn:aws:bedrock:ap-southeast-2:1:x/titan-embed-text-v1 (a)'*!~",
        "arn%3Aaws%3Abedrock%3Aap-southeast-2%3A1%3Ax%2Ftitan-embed-text-v1%20%28a%29%27%2A%21~",
        "",
        ROLE,
        {"x-team": "search   and  find"},
    ),
    ("cn-north-1", "amazon.titan-embed-text-v1", "amazon.titan-embed-text-v1", "x" * 3000, KEYS, {}),
]

signed = []
for region, model, path, text, (key, secret, token), further in CASES:
    suffix = ".cn" if region.startswith("cn-") else ""
    url = f"https://bedrock-runtime.{region}.amazonaws.com{suffix}/model/{path}/invoke"
    body = json.dumps({"inputText": text}, ensure_ascii=False, separators=(",", ":"))
    headers = {"accept": "application/json", "content-type": "application/json", **further}
    request = AWSRequest(method="POST", url=url, headers=headers, data=body.encode())
    botocore.auth.SigV4Auth(Credentials(key, secret, token), "bedrock", region).add_auth(request)
    signed.append(
        {
            "region": region,
            "model": model,
            "text": text,
            "options": {
                "access_key_id": key,
                "secret_access_key": secret,
                **({} if token is None else {"session_token": token}),
                **({"headers": further} if further else {}),
            },
            "url": url,
            "body": body,
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
    )
print(json.dumps(signed, indent=2))
