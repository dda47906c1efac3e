-- What a sweep has to know.

-- How long the registry has run in this epoch, in milliseconds.
ALTER TABLE state ADD COLUMN uptime_ms BIGINT NOT NULL DEFAULT 0;

-- 1: a client was told that the blob is here, and no manifest has named it
-- since; a push may rely on it.
ALTER TABLE link ADD COLUMN promised BIGINT NOT NULL DEFAULT 1;
