-- Health reports: what devices say of themselves. Shown, never evidence; the newest few of each device are kept.
CREATE TABLE health_reports (
    id TEXT PRIMARY KEY NOT NULL,             -- UUIDv7
    device_id TEXT NOT NULL REFERENCES devices (id),
    received_at INTEGER NOT NULL,
    report TEXT NOT NULL                      -- JSON of the closed field list, written anew by the portal
) STRICT;
CREATE INDEX health_reports_of_device ON health_reports (device_id, received_at);
