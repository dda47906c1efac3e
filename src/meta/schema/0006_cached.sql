-- What eviction has to know: how much is cached, and what of it no image needs.

-- Bytes of the blobs that no local repository links. Who adds or removes a
-- blob or a link need not think of it: triggers do. (Their language is this
-- engine's; a driver of another one brings its own.)
ALTER TABLE state ADD COLUMN cached_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE state SET cached_bytes = (
	SELECT COALESCE(SUM(size), 0) FROM blob WHERE NOT EXISTS (
		SELECT 1 FROM link
		JOIN repository ON repository.id = link.repository
		WHERE link.digest = blob.digest AND repository.upstream = ''));

CREATE TRIGGER blob_comes AFTER INSERT ON blob BEGIN
	UPDATE state SET cached_bytes = cached_bytes + NEW.size;
END;

-- Its links are gone before, so it was counted.
CREATE TRIGGER blob_goes AFTER DELETE ON blob BEGIN
	UPDATE state SET cached_bytes = cached_bytes - OLD.size;
END;

CREATE TRIGGER first_local_link AFTER INSERT ON link
WHEN (SELECT upstream FROM repository WHERE id = NEW.repository) = ''
	AND NOT EXISTS (
		SELECT 1 FROM link
		JOIN repository ON repository.id = link.repository
		WHERE link.digest = NEW.digest AND repository.upstream = ''
			AND link.repository <> NEW.repository)
BEGIN
	UPDATE state SET cached_bytes = cached_bytes
		- (SELECT size FROM blob WHERE digest = NEW.digest);
END;

CREATE TRIGGER last_local_link AFTER DELETE ON link
WHEN (SELECT upstream FROM repository WHERE id = OLD.repository) = ''
	AND NOT EXISTS (
		SELECT 1 FROM link
		JOIN repository ON repository.id = link.repository
		WHERE link.digest = OLD.digest AND repository.upstream = '')
BEGIN
	UPDATE state SET cached_bytes = cached_bytes
		+ (SELECT size FROM blob WHERE digest = OLD.digest);
END;

-- Cached blobs that came while no manifest of the repository named them; one
-- may do so by now.
CREATE TABLE loose (
	digest BLOB PRIMARY KEY
		REFERENCES blob (digest) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TRIGGER loose_link AFTER INSERT ON link
WHEN (SELECT upstream FROM repository WHERE id = NEW.repository) <> ''
	AND NOT EXISTS (
		SELECT 1 FROM named
		WHERE digest = NEW.digest AND repository = NEW.repository)
BEGIN
	INSERT INTO loose (digest) VALUES (NEW.digest)
		ON CONFLICT (digest) DO NOTHING;
END;
