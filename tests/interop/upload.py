"""Uploads a file to a portal with `tuspy`; each request is signed as it leaves. Standard input: what to do, as JSON;
standard output: what happened, as JSON."""

import hashlib
import json
import sys

import requests
from tusclient.client import TusClient

from sign import content_digest, private_key, sign

TASK = json.load(sys.stdin)
KEY = private_key(TASK["key"])
CALLS = []
damaged = TASK.get("damaged", 0)
send = requests.Session.send


def signed_send(session, request, **options):
    """What `requests` sends, with digest and signature, and what the test wants to go wrong."""
    global damaged
    if request.method == "PATCH":
        wrong = damaged > 0 and request.headers["upload-offset"] != "0"
        damaged -= wrong
        request.headers["content-digest"] = content_digest(b"another part" if wrong else request.body)
    if "tus_version" in TASK:
        request.headers["tus-resumable"] = TASK["tus_version"]
    if "length" in TASK and request.method == "POST":
        request.headers["upload-length"] = str(TASK["length"])
    sign(KEY, TASK["key_id"], request, TASK.get("clock_s", 0))
    response = send(session, request, **options)
    CALLS.append(
        {
            "method": request.method,
            "status": response.status_code,
            "offset": response.headers.get("upload-offset"),
            "version": response.headers.get("tus-version"),
            "most": response.headers.get("tus-max-size"),
            "speaks": response.headers.get("tus-resumable"),
            "kind": response.json().get("type") if response.status_code >= 400 and response.content else None,
        }
    )
    return response


def upload() -> str:
    client = TusClient(f"{TASK['url']}/api/v1/uploads")
    with open(TASK["file"], "rb") as file:
        metadata = {"sha256": hashlib.sha256(file.read()).hexdigest(), "filename": "b.assay"}
    settings = {"chunk_size": TASK["chunk"], "metadata": metadata, "retries": TASK.get("retries", 1), "retry_delay": 0}
    uploader = client.uploader(TASK["file"], url=TASK.get("upload_url"), **settings)
    if TASK.get("stop_at"):
        uploader.upload(stop_at=TASK["stop_at"])
        # Another run of the client, which knows nothing but the address.
        uploader = client.uploader(TASK["file"], url=uploader.url, **settings)
    uploader.upload()
    return uploader.url


requests.Session.send = signed_send
try:
    outcome = {"upload": upload()}
except Exception as error:  # the test judges it
    outcome = {"error": str(error)}
print(json.dumps({**outcome, "calls": CALLS}))
