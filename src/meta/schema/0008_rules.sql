-- What the operator's rules need, in the transaction of each change.

-- Tags that are neither moved nor deleted, as the last start or reload said;
-- both are patterns of names.
CREATE TABLE immutable (
	repositories TEXT NOT NULL,
	tags TEXT NOT NULL,
	PRIMARY KEY (repositories, tags)
) WITHOUT ROWID;

-- Room is what the local repositories of a pattern may hold together, bytes is
-- what they do: each blob once, and each repository's manifests. Who adds or
-- removes any of these need not think of it: triggers do.
CREATE TABLE quota (
	id INTEGER PRIMARY KEY,
	repositories TEXT NOT NULL UNIQUE,
	room BIGINT NOT NULL,
	bytes BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE quota_member (
	repository BIGINT NOT NULL REFERENCES repository (id),
	quota BIGINT NOT NULL REFERENCES quota (id) ON DELETE CASCADE,
	PRIMARY KEY (repository, quota)
) WITHOUT ROWID;
CREATE INDEX quota_member_quota ON quota_member (quota);

CREATE TRIGGER quota_link_comes AFTER INSERT ON link
WHEN EXISTS (SELECT 1 FROM quota_member WHERE repository = NEW.repository)
BEGIN
	UPDATE quota SET bytes = bytes
		+ (SELECT size FROM blob WHERE digest = NEW.digest)
	WHERE id IN (SELECT quota FROM quota_member
			WHERE repository = NEW.repository)
		AND NOT EXISTS (
			SELECT 1 FROM link JOIN quota_member
			ON quota_member.repository = link.repository
			WHERE link.digest = NEW.digest
				AND link.repository <> NEW.repository
				AND quota_member.quota = quota.id);
END;

CREATE TRIGGER quota_link_goes AFTER DELETE ON link
WHEN EXISTS (SELECT 1 FROM quota_member WHERE repository = OLD.repository)
BEGIN
	UPDATE quota SET bytes = bytes
		- (SELECT size FROM blob WHERE digest = OLD.digest)
	WHERE id IN (SELECT quota FROM quota_member
			WHERE repository = OLD.repository)
		AND NOT EXISTS (
			SELECT 1 FROM link JOIN quota_member
			ON quota_member.repository = link.repository
			WHERE link.digest = OLD.digest
				AND quota_member.quota = quota.id);
END;

CREATE TRIGGER quota_manifest_comes AFTER INSERT ON manifest
WHEN EXISTS (SELECT 1 FROM quota_member WHERE repository = NEW.repository)
BEGIN
	UPDATE quota SET bytes = bytes + length(NEW.bytes)
	WHERE id IN (SELECT quota FROM quota_member
			WHERE repository = NEW.repository);
END;

-- Damaged bytes may have had another length.
CREATE TRIGGER quota_manifest_mends AFTER UPDATE OF bytes ON manifest
WHEN length(NEW.bytes) <> length(OLD.bytes)
BEGIN
	UPDATE quota SET bytes = bytes + length(NEW.bytes) - length(OLD.bytes)
	WHERE id IN (SELECT quota FROM quota_member
			WHERE repository = NEW.repository);
END;

CREATE TRIGGER quota_manifest_goes AFTER DELETE ON manifest
WHEN EXISTS (SELECT 1 FROM quota_member WHERE repository = OLD.repository)
BEGIN
	UPDATE quota SET bytes = bytes - length(OLD.bytes)
	WHERE id IN (SELECT quota FROM quota_member
			WHERE repository = OLD.repository);
END;

-- When a tag last left the manifest, in registry time, milliseconds; or 0.
ALTER TABLE stamp ADD COLUMN untagged BIGINT NOT NULL DEFAULT 0;

CREATE TRIGGER tag_moves AFTER UPDATE OF manifest ON tag
WHEN NEW.manifest <> OLD.manifest
BEGIN
	UPDATE stamp SET untagged = (SELECT ran_ms FROM state)
	WHERE manifest = OLD.manifest;
END;

CREATE TRIGGER tag_goes AFTER DELETE ON tag BEGIN
	UPDATE stamp SET untagged = (SELECT ran_ms FROM state)
	WHERE manifest = OLD.manifest;
END;

-- The tags of a repository by age, and one after another.
CREATE INDEX tag_pushed ON tag (repository, pushed, id);
