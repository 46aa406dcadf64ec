-- Support requests, consents, sessions. Documents are kept byte for byte as they were signed, with their signatures.

CREATE TABLE requests (
    id TEXT PRIMARY KEY NOT NULL,
    device_id TEXT NOT NULL REFERENCES devices (id),
    nonce TEXT NOT NULL UNIQUE,
    engineer TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    signature TEXT NOT NULL,
    -- Expiry is a matter of the clock and no state.
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'denied', 'cancelled', 'answered')),
    closed_at INTEGER,                        -- denied, cancelled or answered
    words TEXT NOT NULL DEFAULT '',           -- why it was denied or cancelled
    bundle_id TEXT REFERENCES bundles (id),   -- what answered it
    ready INTEGER NOT NULL DEFAULT 0          -- as its receipt says
) STRICT;
CREATE INDEX requests_device ON requests (device_id, issued_at DESC);
CREATE INDEX requests_open ON requests (device_id) WHERE state = 'open';

-- Every consent that was taken; a replaced one stays.
CREATE TABLE consents (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL REFERENCES requests (id),
    manifest_sha256 TEXT NOT NULL,
    document TEXT NOT NULL,
    signature TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    replaced_at INTEGER
) STRICT;
CREATE UNIQUE INDEX consents_current ON consents (request_id) WHERE replaced_at IS NULL;

CREATE TABLE support_sessions (
    id TEXT PRIMARY KEY NOT NULL,
    request_id TEXT NOT NULL REFERENCES requests (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    engineer TEXT NOT NULL,
    method TEXT NOT NULL,
    most_hours INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    start_before INTEGER NOT NULL,
    started_at INTEGER,
    hard_expiry INTEGER,
    start_document TEXT,
    start_signature TEXT,
    stopped_at INTEGER,
    stop_document TEXT,
    stop_signature TEXT,
    closed_at INTEGER                         -- by an engineer, whatever the device says
) STRICT;
CREATE INDEX support_sessions_device ON support_sessions (device_id, opened_at DESC);
-- One at a time for each request.
CREATE UNIQUE INDEX support_sessions_live ON support_sessions (request_id)
    WHERE closed_at IS NULL AND stopped_at IS NULL;

-- An open replacement: the drives may move from one unit into the other.
CREATE TABLE replacements (
    old_serial TEXT PRIMARY KEY NOT NULL,
    new_serial TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE update_notice (
    only INTEGER PRIMARY KEY NOT NULL CHECK (only = 1),
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    url TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;

-- What is left of a deleted device: the signed receipt, without serial number or name.
CREATE TABLE deletions (
    id TEXT PRIMARY KEY NOT NULL,
    deleted_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;
