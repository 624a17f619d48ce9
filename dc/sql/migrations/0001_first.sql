-- The schema of a data folder.
--
-- A task's key is one integer: its job times 2^32, plus its number within the job.
--
-- What arrives in batches is kept in batches: one row for each message of tasks (`batches`) and for
-- each record of outcomes (`records`). A batch's bytes are one blob, its columns are JSON lists:
-- `ends` says where each piece of the blob ends, `kinds` what each piece is: `v` the bytes
-- themselves, `b` a JSON list that names a blob, `f` a JSON list that tells a failure; empty when
-- all are `v`. `finished` has one small row for each task that has its outcome: its primary key is
-- what keeps a second outcome out.
--
-- For people, the views `tasks` and `outcomes` show one row for each task.
--
-- The server writes through the view `incoming` alone: one INSERT of many rows is a whole commit,
-- made inside one step of SQLite. Its triggers check what must hold.

CREATE TABLE jobs (
    job INTEGER PRIMARY KEY,
    spec TEXT NOT NULL,
    created REAL NOT NULL,
    total INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0,
    cancelled_at REAL,
    type TEXT GENERATED ALWAYS AS (json_extract(spec, '$.type')) VIRTUAL,
    version TEXT GENERATED ALWAYS AS (json_extract(spec, '$.version')) VIRTUAL,
    name TEXT GENERATED ALWAYS AS (json_extract(spec, '$.options[1]')) VIRTUAL
) STRICT;

-- `task` is the key of the batch's first task.
CREATE TABLE batches (
    task INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    head TEXT NOT NULL,
    payloads BLOB NOT NULL
) STRICT;

-- `bytes` is what limits of reads count.
CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    numbers TEXT NOT NULL,
    head TEXT NOT NULL,
    outcomes BLOB NOT NULL
) STRICT;

CREATE INDEX records_of_job ON records (job, sequence, bytes);

CREATE TABLE finished (
    task INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT;

CREATE TABLE failures (
    task INTEGER PRIMARY KEY
) STRICT;

-- Only tasks that did not go well at the first attempt are here.
CREATE TABLE attempts (
    task INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL
) STRICT;

CREATE VIEW incoming (kind, job, key, count, at, bytes, numbers, failed, head, body) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

-- A job was submitted.
CREATE TRIGGER incoming_job INSTEAD OF INSERT ON incoming WHEN NEW.kind = 1 BEGIN
    INSERT INTO jobs (job, spec, created) VALUES (NEW.job, NEW.head, NEW.at);
END;

-- Tasks were added to a job: `key` is the number of the first.
CREATE TRIGGER incoming_tasks INSTEAD OF INSERT ON incoming WHEN NEW.kind = 2 BEGIN
    SELECT RAISE(ABORT, 'the tasks do not follow the last one of an open job')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total = NEW.key AND NOT ended);
    INSERT INTO batches VALUES (NEW.job << 32 | NEW.key, NEW.count, NEW.head, NEW.body);
    UPDATE jobs SET total = total + NEW.count WHERE job = NEW.job;
END;

-- A job gets no more tasks.
CREATE TRIGGER incoming_end INSTEAD OF INSERT ON incoming WHEN NEW.kind = 3 BEGIN
    SELECT RAISE(ABORT, 'the job does not have so many tasks')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total = NEW.count);
    UPDATE jobs SET ended = 1 WHERE job = NEW.job;
END;

-- A job was cancelled.
CREATE TRIGGER incoming_cancel INSTEAD OF INSERT ON incoming WHEN NEW.kind = 4 BEGIN
    SELECT RAISE(ABORT, 'there is no such job')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job);
    UPDATE jobs SET cancelled_at = coalesce(cancelled_at, NEW.at) WHERE job = NEW.job;
END;

-- Tasks were finished: `key` is the record's sequence, `count` the least number of tasks that the
-- job must have for it.
CREATE TRIGGER incoming_outcomes INSTEAD OF INSERT ON incoming WHEN NEW.kind = 5 BEGIN
    SELECT RAISE(ABORT, 'the job has no such task')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total >= NEW.count);
    INSERT INTO records VALUES (NEW.key, NEW.job, NEW.bytes, NEW.numbers, NEW.head, NEW.body);
    INSERT INTO finished SELECT NEW.job << 32 | value, NEW.key FROM json_each(NEW.numbers);
    INSERT INTO failures SELECT NEW.job << 32 | value FROM json_each(NEW.failed);
    UPDATE jobs
    SET done = done + json_array_length(NEW.numbers) - json_array_length(NEW.failed),
        failed = failed + json_array_length(NEW.failed)
    WHERE job = NEW.job;
END;

-- Attempts and crashes of tasks so far: `numbers` is a list of [number, attempts, crashes].
CREATE TRIGGER incoming_attempts INSTEAD OF INSERT ON incoming WHEN NEW.kind = 6 BEGIN
    SELECT RAISE(ABORT, 'the job has no such task')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total >= NEW.count);
    INSERT INTO attempts
    SELECT NEW.job << 32 | json_extract(value, '$[0]'),
           json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(NEW.numbers) WHERE true
    ON CONFLICT (task) DO UPDATE SET attempts = excluded.attempts, crashes = excluded.crashes;
END;

-- For people: each task with its payload (or the name of its blob), as it came in.
CREATE VIEW tasks (job, number, kind, payload) AS
SELECT job, number, coalesce(nullif(kind, ''), 'v'), substr(payloads, start + 1, stop - start)
FROM (
    SELECT b.task >> 32 AS job, (b.task & 0xffffffff) + e.key AS number,
           substr(json_extract(b.head, '$.kinds'), e.key + 1, 1) AS kind, b.payloads,
           iif(e.key, json_extract(b.head, '$.ends[' || (e.key - 1) || ']'), 0) AS start,
           e.value AS stop
    FROM batches b, json_each(b.head, '$.ends') e
);

-- For people: each finished task with its outcome.
CREATE VIEW outcomes (job, number, sequence, worker, at, attempt, time, kind, outcome) AS
SELECT job, number, sequence, worker, at, attempt, time, coalesce(nullif(kind, ''), 'v'),
       substr(outcomes, start + 1, stop - start)
FROM (
    SELECT r.job, n.value AS number, r.sequence,
           json_extract(r.head, '$.worker') AS worker, json_extract(r.head, '$.at') AS at,
           json_extract(r.head, '$.attempts[' || n.key || ']') AS attempt,
           json_extract(r.head, '$.times[' || n.key || ']') AS time,
           substr(json_extract(r.head, '$.kinds'), n.key + 1, 1) AS kind, r.outcomes,
           iif(n.key, json_extract(r.head, '$.ends[' || (n.key - 1) || ']'), 0) AS start,
           json_extract(r.head, '$.ends[' || n.key || ']') AS stop
    FROM records r, json_each(r.numbers) n
);
