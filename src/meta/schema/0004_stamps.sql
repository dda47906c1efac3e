-- When things came and were last asked for, in registry time: the seconds that
-- the registry has run in all its life. No clock of the host is in it, so none
-- can make anything old. It is exact to a minute or so.
ALTER TABLE state ADD COLUMN ran_ms BIGINT NOT NULL DEFAULT 0;

-- Beside the manifest and not in it, where each stamp would write its bytes
-- again. Pushed: when it was last put. Used: when it, its tag or an index
-- that names it was last pulled, or it came; in milliseconds, so that many that
-- came at once have an order. Cached: 1 if it is an upstream's.
CREATE TABLE stamp (
	manifest INTEGER PRIMARY KEY
		REFERENCES manifest (id) ON DELETE CASCADE,
	pushed BIGINT NOT NULL,
	used BIGINT NOT NULL,
	cached BIGINT NOT NULL
);
INSERT INTO stamp (manifest, pushed, used, cached)
	SELECT manifest.id, 0, 0,
		CASE WHEN repository.upstream = '' THEN 0 ELSE 1 END
	FROM manifest JOIN repository ON repository.id = manifest.repository;
CREATE INDEX stamp_cached ON stamp (used, manifest) WHERE cached = 1;

-- A tag has a number now, under which its use is noted. Pushed: when it was
-- last pointed at something. Pulled: when it was last asked for, or 0.
DROP INDEX tag_manifest;
ALTER TABLE tag RENAME TO old_tag;
CREATE TABLE tag (
	id INTEGER PRIMARY KEY,
	repository BIGINT NOT NULL REFERENCES repository (id),
	name TEXT NOT NULL,
	manifest BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
	checked BIGINT NOT NULL,
	pushed BIGINT NOT NULL,
	pulled BIGINT NOT NULL DEFAULT 0,
	UNIQUE (repository, name)
);
INSERT INTO tag (repository, name, manifest, checked, pushed)
	SELECT repository, name, manifest, checked, 0 FROM old_tag;
DROP TABLE old_tag;
CREATE INDEX tag_manifest ON tag (manifest);
