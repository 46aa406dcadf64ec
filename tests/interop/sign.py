"""Signs and verifies device calls with Python's `http-message-signatures`, in the profile of bundle/src/httpsig.rs."""

import base64
import datetime
import hashlib
import secrets

from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms

COVERED = ("content-digest", "upload-offset", "upload-length", "tus-resumable")
FIRST = ("@method", "@authority", "@path", "@query")


def content_digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def private_key(path: str):
    with open(path, "rb") as file:
        return load_ssh_private_key(file.read(), password=None)


def public_key(line: str):
    return load_ssh_public_key(line.encode())


def sign(key, key_id: str, message, clock_s: int = 0) -> None:
    """Adds the two headers to a message with `method`, `url` and `headers`."""
    created = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=clock_s)
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={key_id: key}),
    )
    present = {name.lower() for name in message.headers}
    signer.sign(
        message,
        key_id=key_id,
        created=created,
        expires=created + datetime.timedelta(seconds=300),
        nonce=secrets.token_urlsafe(16),
        label="sig1",
        tag="assay-v1",
        covered_component_ids=[*FIRST, *(name for name in COVERED if name in present)],
        # Made by who sends the body.
        use_existing_digest="content-digest" in present,
    )


def verified(key, key_id: str, message) -> bool | str:
    """Whether the library takes a call: true, or why not."""
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={key_id: key}, private_keys={}),
    )
    # The portal's own patience with a signature that comes late.
    verifier.max_clock_skew = datetime.timedelta(seconds=60)
    try:
        verifier.verify(message, expect_tag="assay-v1", require_components=FIRST)
    except Exception as error:  # whatever it raises is its refusal
        return f"{type(error).__name__}: {error}"
    return True
