-- What tells this registry from all others, see meta_instance; '' until it is
-- asked for, and in a backup.
ALTER TABLE state ADD COLUMN instance TEXT NOT NULL DEFAULT '';
