-- What a restore over files that may be newer has to know: up to which epoch
-- files of incarnations below that one are kept, though nothing knows them.
ALTER TABLE state ADD COLUMN spared_below BIGINT NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN spared_until BIGINT NOT NULL DEFAULT 0;
