-- A list lies in pieces, so that reading a part of it takes no longer where it
-- is long. Before: how many lines stand in those before it. Last: its last line,
-- of tags; of referrers empty.
CREATE TABLE piece (
	list BIGINT NOT NULL REFERENCES list (id) ON DELETE CASCADE,
	before BIGINT NOT NULL,
	last BLOB NOT NULL,
	lines BLOB NOT NULL,
	PRIMARY KEY (list, before)
);
CREATE INDEX piece_last ON piece (list, last);

-- Those that are here in one piece are asked for again.
DELETE FROM list;
ALTER TABLE list DROP COLUMN lines;
