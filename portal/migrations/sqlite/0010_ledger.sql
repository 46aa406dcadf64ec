-- The serial ledger: one row for each unit, over all tenants. Serial numbers are without blanks and in capitals.

CREATE TABLE ledger (
    serial TEXT PRIMARY KEY NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('active', 'replaced-by', 'returned', 'scrapped', 'refurbished', 'reported-stolen')),
    replaced_by TEXT REFERENCES ledger (serial) DEFERRABLE INITIALLY DEFERRED, -- has the coverage now
    replaces TEXT REFERENCES ledger (serial) DEFERRABLE INITIALLY DEFERRED,    -- whose coverage is on it
    sold_to TEXT,                             -- an account, never a person's address
    price_hundredths INTEGER CHECK (price_hundredths >= 0),
    currency TEXT,
    purchase TEXT NOT NULL,                   -- JSON of the purchase, without what has a column here
    changed_at INTEGER NOT NULL,
    CHECK (status NOT IN ('active', 'refurbished') OR replaced_by IS NULL),
    CHECK (status <> 'replaced-by' OR replaced_by IS NOT NULL),
    CHECK (replaced_by <> serial AND replaces <> serial),
    CHECK ((price_hundredths IS NULL) = (currency IS NULL))
) STRICT;
-- Coverage is in one place.
CREATE UNIQUE INDEX ledger_replaces ON ledger (replaces) WHERE replaces IS NOT NULL;

-- The one open shipping case of a serial number, whoever has it.
CREATE TABLE ledger_holds (
    serial TEXT PRIMARY KEY NOT NULL,
    tenant TEXT NOT NULL,
    case_id TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- Who changed what. Rows are added and never changed.
CREATE TABLE ledger_audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    serial TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    before TEXT,                              -- JSON of the record; none when it is new
    after TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_audit_serial ON ledger_audit (serial, id);
CREATE TRIGGER ledger_audit_stays BEFORE UPDATE ON ledger_audit
BEGIN SELECT RAISE(ABORT, 'the audit of the ledger is never changed'); END;
CREATE TRIGGER ledger_audit_is_kept BEFORE DELETE ON ledger_audit
BEGIN SELECT RAISE(ABORT, 'the audit of the ledger is never deleted'); END;

-- Who made an enrolment code: that person neither confirms nor approves a shipment for the unit.
ALTER TABLE enrolment_codes ADD COLUMN issued_by TEXT;
