-- Schema 3: work under control.

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

-- --- workers in hand ------------------------------------------------------------------------------
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
