-- What is carried: requests whose code is read over the telephone, bundles that a person brought on a disk.
ALTER TABLE requests ADD COLUMN typed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bundles ADD COLUMN brought_by TEXT;  -- who imported it; nobody when the device sent it itself
