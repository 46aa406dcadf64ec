-- What a person may do. Whoever could log in before could do everything that there was, so each becomes an
-- administrator and an engineer: look at `assay-portal user list` after the update and take away what is too much with
-- `assay-portal user role`. Sessions go on.
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';  -- words with spaces between; an unknown one allows nothing
UPDATE users SET roles = 'administrator engineer';
-- Who is disabled cannot log in and has no session; the name stays taken, because records name it.
ALTER TABLE users ADD COLUMN disabled_at INTEGER;
