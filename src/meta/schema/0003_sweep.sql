-- What a sweep has to know.

-- How long the registry has run in this epoch, in milliseconds.
ALTER TABLE state ADD COLUMN uptime_ms BIGINT NOT NULL DEFAULT 0;

-- To how many clients was it said that the blob is here, since a manifest last
-- named it: 0, 1, or 2 for several, of whom a manifest cannot tell which one
-- has come. And in which epoch was it last said.
ALTER TABLE link ADD COLUMN promised BIGINT NOT NULL DEFAULT 0;
ALTER TABLE link ADD COLUMN promised_in BIGINT NOT NULL DEFAULT 0;
