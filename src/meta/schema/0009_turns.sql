-- Of a repository's tags, the order in which they were last pushed: time alone
-- does not tell apart what comes within a minute.
ALTER TABLE tag ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
UPDATE tag SET turn = pushes.turn FROM
	(SELECT id, row_number() OVER
		(PARTITION BY repository ORDER BY pushed, checked, id) AS turn
		FROM tag) AS pushes
	WHERE pushes.id = tag.id;
DROP INDEX tag_pushed;
CREATE INDEX tag_turn ON tag (repository, turn);
