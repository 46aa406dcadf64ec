-- Which portal reads a bundle, and until when nobody else takes it. A portal that stops in the middle loses it by time.
ALTER TABLE bundles ADD COLUMN lease_by TEXT;
ALTER TABLE bundles ADD COLUMN lease_until BIGINT;

-- Portals hear of what others wrote: a bundle waits, or something changed that a device is told. An empty name means
-- every device.
CREATE FUNCTION assay_tell_bundles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('assay_bundles', ''); RETURN NULL; END $$;
CREATE TRIGGER assay_tells AFTER INSERT ON bundles
    FOR EACH STATEMENT EXECUTE FUNCTION assay_tell_bundles();

CREATE FUNCTION assay_tell_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('assay_devices', NEW.device_id); RETURN NULL; END $$;
CREATE TRIGGER assay_tells AFTER INSERT OR UPDATE ON requests
    FOR EACH ROW EXECUTE FUNCTION assay_tell_device();
CREATE TRIGGER assay_tells AFTER INSERT OR UPDATE ON support_sessions
    FOR EACH ROW EXECUTE FUNCTION assay_tell_device();

CREATE FUNCTION assay_tell_own_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('assay_devices', NEW.id); RETURN NULL; END $$;
CREATE TRIGGER assay_tells AFTER UPDATE OF revoked_at, key_id ON devices
    FOR EACH ROW EXECUTE FUNCTION assay_tell_own_device();

CREATE FUNCTION assay_tell_devices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('assay_devices', ''); RETURN NULL; END $$;
CREATE TRIGGER assay_tells AFTER INSERT OR UPDATE OR DELETE ON replacements
    FOR EACH STATEMENT EXECUTE FUNCTION assay_tell_devices();
CREATE TRIGGER assay_tells AFTER INSERT OR UPDATE ON update_notice
    FOR EACH STATEMENT EXECUTE FUNCTION assay_tell_devices();
