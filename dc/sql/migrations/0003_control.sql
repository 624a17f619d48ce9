-- Schema 3: work under control.

-- --- what tasks tell of themselves ----------------------------------------------------------------
--
-- What the newest attempt of a task that wrote anything has written: `total` bytes, of which `body`
-- has the first `split`, and behind them the last.
CREATE TABLE outputs (
    task INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    total INTEGER NOT NULL,
    split INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- How many bytes the outputs of a job take, and 64 more for each.
CREATE TABLE output_sizes (
    job INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT;

-- What an attempt has saved for the next one. A blob is named by its SHA-256 in hexadecimal, and then
-- `data` is written as a payload is that names one.
CREATE TABLE checkpoints (
    task INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    digest TEXT,
    data BLOB NOT NULL
) STRICT;

CREATE INDEX checkpoints_of_blob ON checkpoints (digest) WHERE digest IS NOT NULL;

-- A task has written something: `key` is its number, `head` has attempt, total and split. It is kept
-- while the job's outputs are below `count` bytes. Who is late for the job is passed over.
CREATE TRIGGER incoming_output INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 30 AND EXISTS (
    SELECT 1 FROM jobs WHERE job = NEW.job AND total > NEW.key AND NOT removed
) AND coalesce((SELECT bytes FROM output_sizes WHERE job = NEW.job), 0) < NEW.count BEGIN
    UPDATE output_sizes SET bytes = bytes - coalesce(
        (SELECT length(body) + 64 FROM outputs WHERE task = NEW.job << 32 | NEW.key), 0
    ) WHERE job = NEW.job;
    INSERT INTO outputs
    VALUES (NEW.job << 32 | NEW.key, json_extract(NEW.head, '$[0]'),
            json_extract(NEW.head, '$[1]'), json_extract(NEW.head, '$[2]'), NEW.body)
    ON CONFLICT (task) DO UPDATE SET attempt = excluded.attempt, total = excluded.total,
                                     split = excluded.split, body = excluded.body;
    INSERT INTO output_sizes VALUES (NEW.job, length(NEW.body) + 64)
    ON CONFLICT (job) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

-- An attempt, which is `count`, has saved a checkpoint: `key` is the number of its task, `head` the
-- SHA-256 of a blob. That of a task which has its outcome is passed over.
CREATE TRIGGER incoming_checkpoint INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 31 AND EXISTS (
    SELECT 1 FROM jobs
    WHERE job = NEW.job AND total > NEW.key AND cancelled_at IS NULL AND NOT removed
) AND NOT EXISTS (SELECT 1 FROM finished WHERE task = NEW.job << 32 | NEW.key) BEGIN
    INSERT INTO checkpoints VALUES (NEW.job << 32 | NEW.key, NEW.count, NEW.head, NEW.body)
    ON CONFLICT (task) DO UPDATE
    SET attempt = excluded.attempt, digest = excluded.digest, data = excluded.data;
END;

-- What finished or cancelled tasks have saved is of no use. Jobs without checkpoints pay for a look.
CREATE TRIGGER incoming_outcomes_saved INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 5 AND EXISTS (
    SELECT 1 FROM checkpoints
    WHERE task >= NEW.job << 32 AND task <= (NEW.job << 32 | 0xffffffff)
) BEGIN
    DELETE FROM checkpoints
    WHERE task IN (SELECT NEW.job << 32 | value FROM json_each(NEW.numbers));
END;

CREATE TRIGGER incoming_cancel_saved INSTEAD OF INSERT ON incoming WHEN NEW.kind = 4 BEGIN
    DELETE FROM checkpoints
    WHERE task >= NEW.job << 32 AND task <= (NEW.job << 32 | 0xffffffff);
END;
