-- What is listed of a manifest that has a subject, whether the subject is
-- here or not: its descriptor, as JSON, in the order in which they were put.
CREATE TABLE referrer (
	repository BIGINT NOT NULL,
	subject BLOB NOT NULL,
	manifest BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
	artifact_type TEXT NOT NULL,
	descriptor TEXT NOT NULL,
	PRIMARY KEY (repository, subject, manifest)
) WITHOUT ROWID;
CREATE INDEX referrer_manifest ON referrer (manifest);
DROP INDEX manifest_subject;

-- A name is taken by its first manifest, an upstream's as well.
UPDATE repository SET taken = 1
	WHERE id IN (SELECT repository FROM manifest);
CREATE INDEX repository_listed ON repository (upstream, name)
	WHERE taken = 1;
