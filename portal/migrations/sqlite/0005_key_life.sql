-- The life of keys: which key a device had when, what its calls and bundles tell of the unit behind it, and what
-- became of it.

-- Every key that a device had. A bundle that was sealed under an earlier one is still its own.
CREATE TABLE device_keys (
    key_id TEXT PRIMARY KEY NOT NULL,
    device_id TEXT NOT NULL REFERENCES devices (id),
    public_key TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,                         -- when another took its place
    next_key_id TEXT,                         -- that other
    document TEXT,                            -- the change that it signed
    signature TEXT
) STRICT;
CREATE INDEX device_keys_device ON device_keys (device_id, valid_from);
INSERT INTO device_keys (key_id, device_id, public_key, valid_from)
    SELECT key_id, id, public_key, enrolled_at FROM devices;

ALTER TABLE devices ADD COLUMN revoked_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN moved_to TEXT;          -- device whose key took over, after a key move
ALTER TABLE devices ADD COLUMN doubt TEXT CHECK (doubt IN ('state_lost', 'cloned'));
ALTER TABLE devices ADD COLUMN doubt_words TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN doubt_at INTEGER;

-- One row for each boot of a unit that was heard of.
CREATE TABLE boots (
    device_id TEXT NOT NULL REFERENCES devices (id),
    boot_id TEXT NOT NULL,
    first_no INTEGER NOT NULL,                -- place of its first word among the device's words
    live_no INTEGER,                          -- of its last call; a bundle may come late
    first_made_at INTEGER,                    -- device's clock in bundles, where it can be right
    most_seq INTEGER,
    PRIMARY KEY (device_id, boot_id)
) STRICT;

CREATE TABLE device_events (
    id INTEGER PRIMARY KEY,
    device_id TEXT NOT NULL REFERENCES devices (id),
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    words TEXT NOT NULL
) STRICT;
CREATE INDEX device_events_device ON device_events (device_id, at);
