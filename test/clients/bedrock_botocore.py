"""
The executable's requests to Amazon Bedrock, judged by botocore: python bedrock_botocore.py EXECUTABLE

A server of its own stands for Amazon. It signs each request that arrives once more by botocore, from the method, path, headers and bytes on
the wire, and answers only where both signatures are one. The gateway finds its keys in the routing file, in the environment and in a profile.
"""

import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET, TOKEN = "AKIAQ7FAKE3EXAMPLE5J", "wJalrXUtnFEMIK7MDENGbPxRfiCYfakeEXAMPLEKEY", "IQoJb3JpZ2luFakeToken+/=="
MODEL = "amazon.titan-embed-text-v2:0"
verified: list[str] = []
# botocore's clock is one for all threads.
one_at_a_time = threading.Lock()


def signature(path: str, headers, body: bytes, region: str, token: str | None) -> str:
    date = headers["x-amz-date"]
    when = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ")
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: when
    names = re.search(r"SignedHeaders=([^,]+)", headers["authorization"])[1].split(";")
    # Those that botocore adds by itself are left to it.
    own = {"host", "x-amz-date", "x-amz-security-token"}
    request = AWSRequest(
        method="POST",
        url=f"http://{headers['host']}{path}",
        headers={name: headers[name] for name in names if name not in own},
        data=body,
    )
    botocore.auth.SigV4Auth(Credentials(KEY, SECRET, token), "bedrock", region).add_auth(request)
    return request.headers["Authorization"]


class Amazon(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        given = self.headers["authorization"]
        region = given.split("/")[2]
        with one_at_a_time:
            right = signature(self.path, self.headers, body, region, self.headers["x-amz-security-token"])
        sent = datetime.datetime.strptime(self.headers["x-amz-date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
        age = abs((datetime.datetime.now(datetime.timezone.utc) - sent).total_seconds())
        if given == right and age < 300:
            verified.append(json.loads(body)["inputText"])
            status, answer = 200, {"embedding": [1.0] + [0.0] * 1023, "inputTextTokenCount": 3}
        else:
            status, answer = 403, {"message": f"{given} is not {right}"}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            # The gateway has ended, with a measurement of its own under way.
            pass


def ask(executable: str, provider: dict, variables: dict, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "providers": {"aws": {"plugin": "bedrock", "base_url": address, "retries": 0, **provider}},
            "models": {MODEL: {"routes": [{"provider": "aws"}]}},
        }
        with open(os.path.join(folder, "gateway.yaml"), "w") as file:
            json.dump(config, file)
        gateway = subprocess.Popen(
            [executable, "serve", "--port", "0"],
            cwd=folder,
            env={"AWS_EC2_METADATA_DISABLED": "true", **variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            url = next(match[0] for line in gateway.stdout if (match := re.search(r"http://[\d.:]+\d", line)))
            request = urllib.request.Request(
                f"{url}/v1/embeddings",
                data=json.dumps({"model": MODEL, "input": text}).encode(),
                headers={"content-type": "application/json"},
            )
            with urllib.request.urlopen(request) as response:
                assert len(json.load(response)["data"][0]["embedding"]) == 1024
            assert text in verified, f"botocore did not see {text!r}"
        finally:
            gateway.terminate()
            gateway.wait()


executable = os.path.abspath(sys.argv[1])
server = ThreadingHTTPServer(("127.0.0.1", 0), Amazon)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"

keys = {"access_key_id": KEY, "secret_access_key": SECRET}
ask(executable, {"region": "eu-west-3", **keys}, {}, "keys of the routing file: naïve 日本語 🦜")
ask(executable, {"region": "us-east-1", **keys, "session_token": TOKEN, "headers": {"x-team": "a  b"}}, {}, "temporary keys")
environment = {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
ask(executable, {}, {**environment, "AWS_SESSION_TOKEN": TOKEN}, "keys of the environment")
with tempfile.TemporaryDirectory() as home:
    os.mkdir(os.path.join(home, ".aws"))
    with open(os.path.join(home, ".aws", "credentials"), "w") as file:
        file.write(f"[default]\n[batch]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    ask(executable, {"region": "us-east-1"}, {"HOME": home, "AWS_PROFILE": "batch"}, "keys of a profile")
server.shutdown()
print(f"botocore verified {len(verified)} requests")
