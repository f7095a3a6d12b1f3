"""The batch code of the `openai` package for Python, unchanged but for base_url, against the running executable.

Usage: openai_batch_python.py BASE_URL KEY. Exits 1 at the first thing that is not as its users expect.
"""

import io
import json
import sys
import time

import openai

base_url, key = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
MODEL = "all-MiniLM-L6-v2"


def line(custom_id, body):
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/embeddings", "body": {"model": MODEL, **body}})


def ended(batch):
    while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return batch


# Upload, create, poll, download.
texts = [f"text {i}" for i in range(50)]
content = "\n".join([*(line(f"row-{i}", {"input": text}) for i, text in enumerate(texts)), line("wrong", {"input": ""})])
uploaded = client.files.create(
    file=("input.jsonl", io.BytesIO(content.encode())),
    purpose="batch",
    expires_after={"anchor": "created_at", "seconds": 86400},
)
assert (uploaded.object, uploaded.purpose, uploaded.status, uploaded.bytes) == ("file", "batch", "processed", len(content)), uploaded
assert uploaded.expires_at == uploaded.created_at + 86400, uploaded
assert client.files.retrieve(uploaded.id) == uploaded
assert client.files.content(uploaded.id).read() == content.encode()
batch = client.batches.create(
    input_file_id=uploaded.id, endpoint="/v1/embeddings", completion_window="24h", metadata={"job": "nightly"}
)
assert (batch.object, batch.endpoint, batch.metadata) == ("batch", "/v1/embeddings", {"job": "nightly"}), batch
batch = ended(batch)
assert batch.status == "completed", batch
counts = batch.request_counts
assert (counts.total, counts.completed, counts.failed) == (51, 50, 1), batch
assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at <= batch.expires_at, batch
assert batch.usage.input_tokens == batch.usage.total_tokens > 0, batch
rows = [json.loads(row) for row in client.files.content(batch.output_file_id).text.splitlines()]
assert [row["custom_id"] for row in rows] == [f"row-{i}" for i in range(50)]
assert all(row["error"] is None and row["response"]["status_code"] == 200 for row in rows)
live = client.embeddings.create(model=MODEL, input=texts, encoding_format="float")
for row, entry in zip(rows, live.data):
    got = row["response"]["body"]["data"][0]["embedding"]
    assert sum((a - b) ** 2 for a, b in zip(got, entry.embedding)) < 1e-6
(failed,) = [json.loads(row) for row in client.files.content(batch.error_file_id).text.splitlines()]
assert failed["custom_id"] == "wrong" and failed["response"]["status_code"] == 400, failed
assert failed["response"]["body"]["error"]["type"] == "invalid_request_error", failed

# Lists, page by page.
others = [client.files.create(file=(f"{i}.jsonl", line("a", {"input": "x"}).encode()), purpose="batch") for i in range(3)]
batches = [ended(client.batches.create(input_file_id=f.id, endpoint="/v1/embeddings", completion_window="24h")) for f in others]
assert [b.id for b in client.batches.list(limit=2)][:3] == [b.id for b in reversed(batches)]
page = client.batches.list(limit=2)
assert page.has_more and len(page.data) == 2
assert [f.id for f in client.files.list(purpose="batch", limit=2, order="asc") if f.id in {o.id for o in others}] == [o.id for o in others]

# Cancelled, deleted, refused.
many = "\n".join(line(f"row-{i}", {"input": f"a longer text of number {i} " * 20}) for i in range(3000))
slow = client.files.create(file=("slow.jsonl", many.encode()), purpose="batch")
running = client.batches.create(input_file_id=slow.id, endpoint="/v1/embeddings", completion_window="24h")
try:
    client.files.delete(slow.id)
    raise SystemExit("a file that a batch reads was deleted")
except openai.ConflictError:
    pass
cancelled = client.batches.cancel(running.id)
assert cancelled.status in ("cancelling", "cancelled") and cancelled.cancelling_at, cancelled
cancelled = ended(cancelled)
assert cancelled.status == "cancelled" and cancelled.cancelled_at, cancelled
assert cancelled.request_counts.completed < 3000, cancelled
if cancelled.output_file_id:
    assert len(client.files.content(cancelled.output_file_id).text.splitlines()) == cancelled.request_counts.completed
try:
    client.batches.cancel(running.id)
    raise SystemExit("a batch was cancelled twice")
except openai.ConflictError:
    pass
assert client.files.delete(slow.id).deleted
try:
    client.files.retrieve(slow.id)
    raise SystemExit("a deleted file is there")
except openai.NotFoundError:
    pass
broken = client.files.create(file=("broken.jsonl", b"no json\n"), purpose="batch")
refused = ended(client.batches.create(input_file_id=broken.id, endpoint="/v1/embeddings", completion_window="24h"))
assert refused.status == "failed" and refused.errors.data[0].code == "invalid_json_line", refused
assert refused.errors.data[0].line == 1, refused
try:
    client.batches.create(input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h")
    raise SystemExit("another endpoint was accepted")
except openai.BadRequestError as error:
    assert error.param == "endpoint", error

print(f"openai {openai.__version__} for Python: batches of {counts.total} and {cancelled.request_counts.total} requests")
