-- Schema 3: work under control.

-- --- workers in hand -----------------------------------------------------------------------------
--
-- Workers that are remembered, by key: who each was last, and what was decided of it, in `spec`.

CREATE TABLE workers (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    seen REAL NOT NULL,
    state TEXT NOT NULL,
    spec TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `head` is a list of workers as they are now, `numbers` one of keys that are to be forgotten.
CREATE TRIGGER incoming_workers INSTEAD OF INSERT ON incoming WHEN NEW.kind = 20 BEGIN
    DELETE FROM workers WHERE key IN (SELECT value FROM json_each(NEW.numbers));
    INSERT INTO workers
    SELECT json_extract(value, '$.key'), json_extract(value, '$.name'),
           json_extract(value, '$.seen'), json_extract(value, '$.state'), value
    FROM json_each(NEW.head) WHERE true
    ON CONFLICT (key) DO UPDATE
    SET name = excluded.name, seen = excluded.seen, state = excluded.state, spec = excluded.spec;
END;

-- --- jobs in hand ---------------------------------------------------------------------------------
--
-- `paused` jobs are not handed out. `why` says what a job was cancelled for, where nobody asked for
-- it. `retried` counts the outcomes that were set aside because their tasks run again: they stay in
-- `records`, and nothing in `finished` names them.
ALTER TABLE jobs ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN retried INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN submitter TEXT
    GENERATED ALWAYS AS (json_extract(spec, '$.submitter')) VIRTUAL;

-- Submitters whose weight is not 1.
CREATE TABLE submitters (
    name TEXT PRIMARY KEY,
    weight REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- A job was cancelled: `head` says why.
DROP TRIGGER incoming_cancel;

CREATE TRIGGER incoming_cancel INSTEAD OF INSERT ON incoming WHEN NEW.kind = 4 BEGIN
    SELECT RAISE(ABORT, 'there is no such job')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND NOT removed);
    UPDATE jobs SET why = iif(cancelled_at IS NULL, NEW.head, why),
                    cancelled_at = coalesce(cancelled_at, NEW.at),
                    finished_at = coalesce(finished_at, NEW.at)
    WHERE job = NEW.job;
    DELETE FROM leases
    WHERE task >= NEW.job << 32 AND task <= (NEW.job << 32 | 0xffffffff);
END;

-- A job has other options, which are `head`; `count` says whether it is paused.
CREATE TRIGGER incoming_change INSTEAD OF INSERT ON incoming WHEN NEW.kind = 11 BEGIN
    SELECT RAISE(ABORT, 'there is no such job')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND NOT removed);
    UPDATE jobs SET spec = json_set(spec, '$.options', json(NEW.head)), paused = NEW.count
    WHERE job = NEW.job;
END;

-- `count` failed tasks run again: `numbers` is a list of [number, attempt].
CREATE TRIGGER incoming_retry INSTEAD OF INSERT ON incoming WHEN NEW.kind = 12 BEGIN
    SELECT RAISE(ABORT, 'the job has no such failed task')
    WHERE NOT EXISTS (
        SELECT 1 FROM jobs WHERE job = NEW.job AND cancelled_at IS NULL AND NOT removed
    ) OR NEW.count != (
        SELECT count(*) FROM failures WHERE task IN (
            SELECT NEW.job << 32 | json_extract(value, '$[0]') FROM json_each(NEW.numbers)
        )
    );
    DELETE FROM finished WHERE task IN (
        SELECT NEW.job << 32 | json_extract(value, '$[0]') FROM json_each(NEW.numbers)
    );
    DELETE FROM failures WHERE task IN (
        SELECT NEW.job << 32 | json_extract(value, '$[0]') FROM json_each(NEW.numbers)
    );
    INSERT INTO attempts (task, attempts, crashes)
    SELECT NEW.job << 32 | json_extract(value, '$[0]'), json_extract(value, '$[1]'), 0
    FROM json_each(NEW.numbers) WHERE true
    ON CONFLICT (task) DO UPDATE SET attempts = excluded.attempts, crashes = 0, failures = 0;
    UPDATE jobs SET failed = failed - NEW.count, retried = retried + NEW.count, finished_at = NULL
    WHERE job = NEW.job;
END;

-- A submitter, named by `head`, has the weight `at`.
CREATE TRIGGER incoming_submitter INSTEAD OF INSERT ON incoming WHEN NEW.kind = 13 BEGIN
    INSERT INTO submitters VALUES (NEW.head, NEW.at)
    ON CONFLICT (name) DO UPDATE SET weight = excluded.weight;
    DELETE FROM submitters WHERE name = NEW.head AND weight = 1;
END;
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
