-- Times are whole seconds since 1970 in UTC. Ids are UUIDv7 in text. Nothing here needs the decryption identity.

CREATE TABLE devices (
    id TEXT PRIMARY KEY NOT NULL,
    key_id TEXT NOT NULL UNIQUE,              -- SHA256:… of the enrolled key
    public_key TEXT NOT NULL,                 -- ssh-ed25519 …
    model TEXT,
    serial TEXT,
    chassis TEXT NOT NULL,                    -- JSON list of digests
    enrolled_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER
) STRICT;
CREATE INDEX devices_serial ON devices (serial);

CREATE TABLE enrolment_codes (
    code_sha256 TEXT PRIMARY KEY NOT NULL,
    serial TEXT,                              -- only this unit may use it, where given
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    failed_tries INTEGER NOT NULL DEFAULT 0,
    used_by_key TEXT                          -- key_id
) STRICT;

-- Failed tries of people and devices, by kind and subject, kept for the length of their window.
CREATE TABLE failures (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX failures_window ON failures (kind, subject, at);

CREATE TABLE nonces (
    key_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (key_id, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_expiry ON nonces (expires_at);

CREATE TABLE uploads (
    id TEXT PRIMARY KEY NOT NULL,
    device_id TEXT NOT NULL REFERENCES devices (id),
    announced_sha256 TEXT,                    -- the same announcement is the same upload
    length_bytes INTEGER NOT NULL,
    offset_bytes INTEGER NOT NULL DEFAULT 0,  -- the truth: a file that is longer is cut to it
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    bundle_id TEXT,                           -- once it is whole
    UNIQUE (device_id, announced_sha256)
) STRICT;
CREATE INDEX uploads_expiry ON uploads (expires_at);

CREATE TABLE bundles (
    id TEXT PRIMARY KEY NOT NULL,
    upload_id TEXT NOT NULL,                  -- the upload that brought it
    device_id TEXT NOT NULL REFERENCES devices (id),
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'refused')),
    reason TEXT NOT NULL DEFAULT '',          -- why it was refused
    source TEXT,                              -- live, recorded, judged
    evidence INTEGER NOT NULL DEFAULT 0,
    seq INTEGER,
    model TEXT,                               -- as the manifest names them
    serial TEXT,
    overall TEXT,                             -- the portal's verdict
    device_overall TEXT,                      -- the device's
    flags TEXT NOT NULL DEFAULT '[]',         -- JSON list of sentences
    manifest TEXT,                            -- exact bytes that were signed
    signature TEXT,
    receipt TEXT,                             -- exact bytes that were signed, kept for ever
    receipt_signature TEXT,
    UNIQUE (device_id, sha256)
) STRICT;
CREATE INDEX bundles_queue ON bundles (received_at DESC, id DESC);
CREATE INDEX bundles_device ON bundles (device_id, received_at DESC);
CREATE INDEX bundles_pending ON bundles (id) WHERE state = 'pending';

-- What the worker read, as one document: the pages walk it, no column knows a rule or a probe.
CREATE TABLE readings (
    bundle_id TEXT PRIMARY KEY NOT NULL REFERENCES bundles (id),
    document TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    name TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_sha256 TEXT PRIMARY KEY NOT NULL,
    user_name TEXT NOT NULL REFERENCES users (name),
    csrf TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_expiry ON sessions (expires_at);
