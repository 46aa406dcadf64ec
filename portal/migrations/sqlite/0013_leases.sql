-- Which portal reads a bundle, and until when nobody else takes it. A portal that stops in the middle loses it by time.
ALTER TABLE bundles ADD COLUMN lease_by TEXT;
ALTER TABLE bundles ADD COLUMN lease_until INTEGER;
