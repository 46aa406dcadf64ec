-- The schema as SQLite has it at this number: the same tables and columns. Times are whole seconds since 1970 in UTC, ids
-- are UUIDv7 in text. Keys are compared byte by byte (COLLATE "C"), so that lists have the same order everywhere.

CREATE TABLE tenants (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL
);
INSERT INTO tenants (id, name) VALUES ('default', 'Default');


CREATE TABLE devices (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    revoked_reason TEXT NOT NULL DEFAULT '',
    moved_to TEXT,                              -- device whose key took over, after a key move
    doubt TEXT CHECK (doubt IN ('state_lost', 'cloned')),
    doubt_words TEXT NOT NULL DEFAULT '',
    doubt_at BIGINT,
    key_id TEXT NOT NULL UNIQUE,              -- SHA256:… of the enrolled key
    public_key TEXT NOT NULL,                 -- ssh-ed25519 …
    model TEXT,
    serial TEXT,
    chassis TEXT NOT NULL,                    -- JSON list of digests
    enrolled_at BIGINT NOT NULL,
    last_seq BIGINT NOT NULL DEFAULT 0,
    revoked_at BIGINT
);
CREATE INDEX devices_serial ON devices (tenant, serial);

CREATE TABLE enrolment_codes (
    code_sha256 TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    issued_by TEXT,                             -- neither confirms nor approves a shipment for the unit
    serial TEXT,                              -- only this unit may use it, where given
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    failed_tries BIGINT NOT NULL DEFAULT 0,
    used_by_key TEXT                          -- key_id
);

CREATE TABLE nonces (
    key_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX nonces_expiry ON nonces (expires_at);

CREATE TABLE uploads (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    announced_sha256 TEXT,                    -- the same announcement is the same upload
    length_bytes BIGINT NOT NULL,
    offset_bytes BIGINT NOT NULL DEFAULT 0,  -- the truth: a file that is longer is cut to it
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    bundle_id TEXT,                           -- once it is whole
    UNIQUE (device_id, announced_sha256)
);
CREATE INDEX uploads_expiry ON uploads (expires_at);

CREATE TABLE bundles (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    brought_by TEXT,                            -- who imported it; nobody when the device sent it itself
    upload_id TEXT NOT NULL,                  -- the upload that brought it
    device_id TEXT NOT NULL REFERENCES devices (id),
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'refused')),
    reason TEXT NOT NULL DEFAULT '',          -- why it was refused
    source TEXT,                              -- live, recorded, judged
    evidence BIGINT NOT NULL DEFAULT 0,
    seq BIGINT,
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
);
CREATE INDEX bundles_queue ON bundles (tenant, received_at DESC, id DESC);
CREATE INDEX bundles_device ON bundles (device_id, received_at DESC);
CREATE INDEX bundles_pending ON bundles (id) WHERE state = 'pending';

-- What the worker read, as one document: the pages walk it, no column knows a rule or a probe.
CREATE TABLE readings (
    bundle_id TEXT COLLATE "C" PRIMARY KEY REFERENCES bundles (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    document TEXT NOT NULL
);

CREATE TABLE users (
    name TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_sha256 TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    user_name TEXT NOT NULL REFERENCES users (name),
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE requests (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    typed BIGINT NOT NULL DEFAULT 0,           -- its code is read to the owner
    device_id TEXT NOT NULL REFERENCES devices (id),
    nonce TEXT NOT NULL UNIQUE,
    engineer TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    signature TEXT NOT NULL,
    -- Expiry is a matter of the clock and no state.
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'denied', 'cancelled', 'answered')),
    closed_at BIGINT,                        -- denied, cancelled or answered
    words TEXT NOT NULL DEFAULT '',           -- why it was denied or cancelled
    bundle_id TEXT REFERENCES bundles (id),   -- what answered it
    ready BIGINT NOT NULL DEFAULT 0          -- as its receipt says
);
CREATE INDEX requests_device ON requests (device_id, issued_at DESC);
CREATE INDEX requests_open ON requests (device_id) WHERE state = 'open';

-- Every consent that was taken, a replaced one stays.
CREATE TABLE consents (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    request_id TEXT NOT NULL REFERENCES requests (id),
    manifest_sha256 TEXT NOT NULL,
    document TEXT NOT NULL,
    signature TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    replaced_at BIGINT
);
CREATE UNIQUE INDEX consents_current ON consents (request_id) WHERE replaced_at IS NULL;

CREATE TABLE support_sessions (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    request_id TEXT NOT NULL REFERENCES requests (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    engineer TEXT NOT NULL,
    method TEXT NOT NULL,
    most_hours BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    start_before BIGINT NOT NULL,
    started_at BIGINT,
    hard_expiry BIGINT,
    start_document TEXT,
    start_signature TEXT,
    stopped_at BIGINT,
    stop_document TEXT,
    stop_signature TEXT,
    closed_at BIGINT                         -- by an engineer, whatever the device says
);
CREATE INDEX support_sessions_device ON support_sessions (device_id, opened_at DESC);
-- One at a time for each request.
CREATE UNIQUE INDEX support_sessions_live ON support_sessions (request_id)
    WHERE closed_at IS NULL AND stopped_at IS NULL;

-- What is left of a deleted device: the signed receipt, without serial number or name.
CREATE TABLE deletions (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    deleted_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    signature TEXT NOT NULL
);

-- Health reports: what devices say of themselves. Shown, never evidence, the newest few of each device are kept.
CREATE TABLE health_reports (
    id TEXT COLLATE "C" PRIMARY KEY,             -- UUIDv7
    tenant TEXT NOT NULL REFERENCES tenants (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    received_at BIGINT NOT NULL,
    report TEXT NOT NULL                      -- JSON of the closed field list, written anew by the portal
);
CREATE INDEX health_reports_of_device ON health_reports (device_id, received_at);

-- Every key that a device had. A bundle that was sealed under an earlier one is still its own.
CREATE TABLE device_keys (
    key_id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    public_key TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to BIGINT,                         -- when another took its place
    next_key_id TEXT,                         -- that other
    document TEXT,                            -- the change that it signed
    signature TEXT
);
CREATE INDEX device_keys_device ON device_keys (device_id, valid_from);

-- One row for each boot of a unit that was heard of.
CREATE TABLE boots (
    device_id TEXT NOT NULL REFERENCES devices (id),
    tenant TEXT NOT NULL REFERENCES tenants (id),
    boot_id TEXT NOT NULL,
    first_no BIGINT NOT NULL,                -- place of its first word among the device's words
    live_no BIGINT,                          -- of its last call, a bundle may come late
    first_made_at BIGINT,                    -- device's clock in bundles, where it can be right
    most_seq BIGINT,
    PRIMARY KEY (device_id, boot_id)
);

CREATE TABLE device_events (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL REFERENCES tenants (id),
    device_id TEXT NOT NULL REFERENCES devices (id),
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX device_events_device ON device_events (device_id, at);

CREATE TABLE ledger (
    serial TEXT COLLATE "C" PRIMARY KEY,
    status TEXT NOT NULL CHECK (
        status IN ('active', 'replaced-by', 'returned', 'scrapped', 'refurbished', 'reported-stolen')),
    replaced_by TEXT REFERENCES ledger (serial) DEFERRABLE INITIALLY DEFERRED, -- has the coverage now
    replaces TEXT REFERENCES ledger (serial) DEFERRABLE INITIALLY DEFERRED,    -- whose coverage is on it
    sold_to TEXT,                             -- an account, never a person's address
    price_hundredths BIGINT CHECK (price_hundredths >= 0),
    currency TEXT,
    purchase TEXT NOT NULL,                   -- JSON of the purchase, without what has a column here
    changed_at BIGINT NOT NULL,
    CHECK (status NOT IN ('active', 'refurbished') OR replaced_by IS NULL),
    CHECK (status <> 'replaced-by' OR replaced_by IS NOT NULL),
    CHECK (replaced_by <> serial AND replaces <> serial),
    CHECK ((price_hundredths IS NULL) = (currency IS NULL))
);
-- Coverage is in one place.
CREATE UNIQUE INDEX ledger_replaces ON ledger (replaces) WHERE replaces IS NOT NULL;

-- The one open shipping case of a serial number, whoever has it.
CREATE TABLE ledger_holds (
    serial TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT NOT NULL,
    case_id TEXT NOT NULL,
    since BIGINT NOT NULL
);

-- Who changed what. Rows are added and never changed.
CREATE TABLE ledger_audit (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    serial TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    before TEXT,                              -- JSON of the record, none when it is new
    after TEXT NOT NULL
);
CREATE INDEX ledger_audit_serial ON ledger_audit (serial, id);
-- A name is one person's however it is written.
CREATE UNIQUE INDEX users_name ON users (lower(name));
CREATE INDEX requests_queue ON requests (tenant, issued_at DESC, id DESC);
CREATE INDEX support_sessions_queue ON support_sessions (tenant, opened_at DESC, id DESC);

-- Failed tries of people and devices, by kind and subject, kept for the length of their window.
CREATE TABLE failures (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX failures_window ON failures (kind, subject, at);

-- An open replacement: the drives may move from one unit into the other. Without a case nothing is restored from the
-- copy of the unit that goes. new_serial holds the portal's name of a unit that has no serial number.
CREATE TABLE replacements (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    old_serial TEXT NOT NULL,
    new_serial TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    case_id TEXT,
    PRIMARY KEY (tenant, old_serial),
    UNIQUE (tenant, new_serial)
);

CREATE TABLE update_notice (
    tenant TEXT PRIMARY KEY REFERENCES tenants (id),
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    url TEXT NOT NULL,
    set_at BIGINT NOT NULL
);

CREATE FUNCTION ledger_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit of the ledger is never changed'; END $$;
CREATE TRIGGER ledger_audit_stays BEFORE UPDATE OR DELETE ON ledger_audit
    FOR EACH ROW EXECUTE FUNCTION ledger_audit_stays();
CREATE TRIGGER ledger_audit_is_kept BEFORE TRUNCATE ON ledger_audit
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_audit_stays();
