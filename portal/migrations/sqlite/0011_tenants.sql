-- Tenants: who shares this portal without seeing one another. What was there before is the first tenant's. A row whose
-- tenant were missing would be nobody's: every statement names one.

CREATE TABLE tenants (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL
) STRICT;
INSERT INTO tenants (id, name) VALUES ('default', 'Default');

ALTER TABLE devices ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE enrolment_codes ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE uploads ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE bundles ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE readings ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE users ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE sessions ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE requests ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE consents ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE support_sessions ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE deletions ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE health_reports ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE device_keys ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE boots ADD COLUMN tenant TEXT REFERENCES tenants (id);
ALTER TABLE device_events ADD COLUMN tenant TEXT REFERENCES tenants (id);

UPDATE devices SET tenant = 'default';
UPDATE enrolment_codes SET tenant = 'default';
UPDATE uploads SET tenant = 'default';
UPDATE bundles SET tenant = 'default';
UPDATE readings SET tenant = 'default';
UPDATE users SET tenant = 'default';
UPDATE sessions SET tenant = 'default';
UPDATE requests SET tenant = 'default';
UPDATE consents SET tenant = 'default';
UPDATE support_sessions SET tenant = 'default';
UPDATE deletions SET tenant = 'default';
UPDATE health_reports SET tenant = 'default';
UPDATE device_keys SET tenant = 'default';
UPDATE boots SET tenant = 'default';
UPDATE device_events SET tenant = 'default';

-- One list of bundles for each tenant.
DROP INDEX bundles_queue;
CREATE INDEX bundles_queue ON bundles (tenant, received_at DESC, id DESC);
DROP INDEX devices_serial;
CREATE INDEX devices_serial ON devices (tenant, serial);
CREATE INDEX requests_queue ON requests (tenant, issued_at DESC, id DESC);
CREATE INDEX support_sessions_queue ON support_sessions (tenant, opened_at DESC, id DESC);

-- Two tenants may name the same serial numbers, and each has its own word on versions.
CREATE TABLE replacements_of_tenants (
    tenant TEXT NOT NULL REFERENCES tenants (id),
    old_serial TEXT NOT NULL,
    new_serial TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    case_id TEXT,
    PRIMARY KEY (tenant, old_serial),
    UNIQUE (tenant, new_serial)
) STRICT;
INSERT INTO replacements_of_tenants (tenant, old_serial, new_serial, created_at, case_id)
    SELECT 'default', old_serial, new_serial, created_at, case_id FROM replacements;
DROP TABLE replacements;
ALTER TABLE replacements_of_tenants RENAME TO replacements;

CREATE TABLE update_notice_of_tenants (
    tenant TEXT PRIMARY KEY NOT NULL REFERENCES tenants (id),
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    url TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;
INSERT INTO update_notice_of_tenants (tenant, version, sha256, url, set_at)
    SELECT 'default', version, sha256, url, set_at FROM update_notice;
DROP TABLE update_notice;
ALTER TABLE update_notice_of_tenants RENAME TO update_notice;

-- A failed try has a number, so that one of several can be taken back.
CREATE TABLE numbered_failures (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
INSERT INTO numbered_failures (kind, subject, at) SELECT kind, subject, at FROM failures ORDER BY rowid;
DROP TABLE failures;
ALTER TABLE numbered_failures RENAME TO failures;
CREATE INDEX failures_window ON failures (kind, subject, at);

-- A name is one person's however it is written.
CREATE UNIQUE INDEX users_name ON users (lower(name));
