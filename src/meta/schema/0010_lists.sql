-- What an upstream said when it was last asked for a list: of the tags of a
-- repository, then subject is empty; or of what refers to that subject.
CREATE TABLE list (
	id INTEGER PRIMARY KEY,
	repository BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
	subject BLOB NOT NULL,
	checked BIGINT NOT NULL,
	size BIGINT NOT NULL,
	lines BLOB NOT NULL,
	UNIQUE (repository, subject)
);
CREATE INDEX list_age ON list (checked, id, size);

-- A list goes with what it is about: its subject, or all of the repository.
CREATE TRIGGER list_goes AFTER DELETE ON manifest BEGIN
	DELETE FROM list WHERE repository = OLD.repository
		AND (subject = OLD.digest
			OR NOT EXISTS (SELECT 1 FROM manifest
				WHERE repository = OLD.repository));
END;
