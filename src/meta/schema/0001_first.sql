-- Everything that is known: see meta.h for what it means.
--
-- A digest is a blob of one byte for the algorithm and the digest's bytes.
-- "touched" is an epoch, see state.epoch; "checked" is seconds since 1970.
-- Three words are this engine's own, and a driver of another one translates
-- them: INTEGER PRIMARY KEY (a number of 64 bits that is given out if none is
-- said), BLOB, WITHOUT ROWID.

-- One row. The epoch advances with uptime, never with a clock; next_id is the
-- next session, and so the next incarnation of a blob.
CREATE TABLE state (
	one BIGINT PRIMARY KEY CHECK (one = 1),
	epoch BIGINT NOT NULL,
	next_id BIGINT NOT NULL
);
INSERT INTO state (one, epoch, next_id) VALUES (1, 1, 1);

-- What is pushed has no upstream (''). A name is taken for good once a
-- manifest was put there.
CREATE TABLE repository (
	id INTEGER PRIMARY KEY,
	upstream TEXT NOT NULL,
	name TEXT NOT NULL,
	taken BIGINT NOT NULL DEFAULT 0,
	UNIQUE (upstream, name)
);

-- A blob that is here; id is its incarnation. It may be evicted unless a
-- local repository links it.
CREATE TABLE blob (
	id INTEGER PRIMARY KEY,
	digest BLOB NOT NULL UNIQUE,
	size BIGINT NOT NULL
);

-- This repository has that blob. A link that no manifest of the repository
-- names may be swept once it was not touched for two epochs.
CREATE TABLE link (
	digest BLOB NOT NULL REFERENCES blob (digest),
	repository BIGINT NOT NULL REFERENCES repository (id),
	touched BIGINT NOT NULL,
	PRIMARY KEY (digest, repository)
) WITHOUT ROWID;

CREATE TABLE manifest (
	id INTEGER PRIMARY KEY,
	repository BIGINT NOT NULL REFERENCES repository (id),
	digest BLOB NOT NULL,
	media_type TEXT NOT NULL,
	artifact_type TEXT NOT NULL,
	subject BLOB,
	bytes BLOB NOT NULL,
	UNIQUE (repository, digest)
);
CREATE INDEX manifest_subject ON manifest (repository, subject, id)
	WHERE subject IS NOT NULL;

-- What a manifest names. Kind: 1 a blob, 2 a blob that may be missing, 3 a
-- manifest. Of an index, of what is upstream's, and where that is accepted,
-- blobs may be missing as well.
CREATE TABLE named (
	digest BLOB NOT NULL,
	repository BIGINT NOT NULL,
	manifest BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
	kind BIGINT NOT NULL,
	size BIGINT NOT NULL,
	PRIMARY KEY (digest, repository, manifest)
) WITHOUT ROWID;
CREATE INDEX named_manifest ON named (manifest);

-- Checked: when it was pushed, or last confirmed by upstream.
CREATE TABLE tag (
	repository BIGINT NOT NULL REFERENCES repository (id),
	name TEXT NOT NULL,
	manifest BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
	checked BIGINT NOT NULL,
	PRIMARY KEY (repository, name)
) WITHOUT ROWID;
CREATE INDEX tag_manifest ON tag (manifest);

-- An arrival under way: an upload, or the fetch of a digest.
CREATE TABLE session (
	id INTEGER PRIMARY KEY,
	key TEXT NOT NULL UNIQUE,
	repository BIGINT NOT NULL REFERENCES repository (id),
	digest BLOB,
	size BIGINT NOT NULL,
	touched BIGINT NOT NULL
);
CREATE INDEX session_digest ON session (digest) WHERE digest IS NOT NULL;
