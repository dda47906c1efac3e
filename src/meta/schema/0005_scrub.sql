-- What is known of damage, and how far the files have been read back.

-- 0: none is known; 1: the file has other bytes, or cannot be read, and
-- nobody gets it; 2: the file was not there.
ALTER TABLE blob ADD COLUMN damage BIGINT NOT NULL DEFAULT 0;
CREATE INDEX blob_damaged ON blob (digest) WHERE damage > 0;

-- 1: the bytes do not match the digest, and nobody gets them.
ALTER TABLE manifest ADD COLUMN damaged BIGINT NOT NULL DEFAULT 0;
CREATE INDEX manifest_damaged ON manifest (id) WHERE damaged > 0;

-- One row: how long the registry has run since a round ended, in
-- milliseconds, and the blob that the present round was at.
CREATE TABLE scrub (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	waited_ms BIGINT NOT NULL,
	last BLOB
);
INSERT INTO scrub (one, waited_ms, last) VALUES (1, 0, NULL);
