-- The case under which a unit is replaced. Without one the drives may move, and nothing is restored from the copy of the
-- unit that goes. new_serial holds the portal's name of a unit that has no serial number.
ALTER TABLE replacements ADD COLUMN case_id TEXT;
