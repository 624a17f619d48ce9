-- Schema 2: what nothing may be lost without, and what lets finished jobs go.
--
-- `folder` has one row. `identity` names the data folder for good. `log_needed` is 1 in the file
-- itself while some of the write-ahead log is not in it, and 0 in the log: see dc/store_log.py.
-- `next_job` and `next_sequence` are what a server that starts begins with, or less: they are at least
-- those after what was removed, and `next_job` is above all that may have been given out.

CREATE TABLE folder (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    identity TEXT NOT NULL,
    log_needed INTEGER NOT NULL,
    next_job INTEGER NOT NULL,
    next_sequence INTEGER NOT NULL
) STRICT;

INSERT INTO folder VALUES (1, lower(hex(randomblob(16))), 0, 1, 1);

-- `key` names the submission. `finished_at` is set once the job needs the server no more. A job is
-- `removed` before its rows are, in many small steps.
ALTER TABLE jobs ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN finished_at REAL;
ALTER TABLE jobs ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

UPDATE jobs SET finished_at = coalesce(
    cancelled_at,
    (SELECT json_extract(head, '$.at') FROM records r
     WHERE r.job = jobs.job ORDER BY sequence DESC LIMIT 1),
    created
)
WHERE cancelled_at IS NOT NULL OR (ended AND done + failed = total);

CREATE INDEX jobs_of_key ON jobs (key, job) WHERE key != '';
CREATE INDEX jobs_finished ON jobs (finished_at, job) WHERE finished_at IS NOT NULL AND NOT removed;
CREATE INDEX jobs_removed ON jobs (job) WHERE removed;

ALTER TABLE attempts ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;

-- Attempts that have been running for a while, with the key of their worker. A task's `attempts`
-- has a row too, with the same attempt.
CREATE TABLE leases (
    task INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    worker TEXT NOT NULL
) STRICT;

-- Which jobs name a blob, by its SHA-256 in hexadecimal.
CREATE TABLE blob_uses (
    digest TEXT NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (digest, job)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_uses_of_job ON blob_uses (job);

-- blob_name() is the migrating program's own: it reads a piece that names a blob.
INSERT INTO blob_uses
SELECT blob_name(substr(payloads, start + 1, stop - start)), job FROM (
    SELECT task >> 32 AS job, payloads, e.value AS stop,
           iif(e.key, json_extract(head, '$.ends[' || (e.key - 1) || ']'), 0) AS start
    FROM batches, json_each(head, '$.ends') e
    WHERE substr(head, -11) != '"kinds":""}'
      AND substr(json_extract(head, '$.kinds'), e.key + 1, 1) = 'b'
) WHERE true ON CONFLICT DO NOTHING;

INSERT INTO blob_uses
SELECT blob_name(substr(outcomes, start + 1, stop - start)), job FROM (
    SELECT job, outcomes, e.value AS stop,
           iif(e.key, json_extract(head, '$.ends[' || (e.key - 1) || ']'), 0) AS start
    FROM records, json_each(head, '$.ends') e
    WHERE substr(head, -11) != '"kinds":""}'
      AND substr(json_extract(head, '$.kinds'), e.key + 1, 1) = 'b'
) WHERE true ON CONFLICT DO NOTHING;

-- `blobs` is a list of the blobs that a record names, or null.
DROP VIEW incoming;

CREATE VIEW incoming (kind, job, key, count, at, bytes, numbers, failed, blobs, head, body) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0;

-- A job was submitted: `key` is the submission's.
CREATE TRIGGER incoming_job INSTEAD OF INSERT ON incoming WHEN NEW.kind = 1 BEGIN
    INSERT INTO jobs (job, spec, created, key) VALUES (NEW.job, NEW.head, NEW.at, NEW.key);
END;

-- Tasks were added to a job: `key` is the number of the first.
CREATE TRIGGER incoming_tasks INSTEAD OF INSERT ON incoming WHEN NEW.kind = 2 BEGIN
    SELECT RAISE(ABORT, 'the tasks do not follow the last one of an open job')
    WHERE NOT EXISTS (
        SELECT 1 FROM jobs WHERE job = NEW.job AND total = NEW.key AND NOT ended AND NOT removed
    );
    INSERT INTO batches VALUES (NEW.job << 32 | NEW.key, NEW.count, NEW.head, NEW.body);
    UPDATE jobs SET total = total + NEW.count WHERE job = NEW.job;
END;

-- A job gets no more tasks.
CREATE TRIGGER incoming_end INSTEAD OF INSERT ON incoming WHEN NEW.kind = 3 BEGIN
    SELECT RAISE(ABORT, 'the job does not have so many tasks')
    WHERE NOT EXISTS (
        SELECT 1 FROM jobs WHERE job = NEW.job AND total = NEW.count AND NOT removed
    );
    UPDATE jobs SET ended = 1 WHERE job = NEW.job;
    UPDATE jobs SET finished_at = max(created, NEW.at)
    WHERE job = NEW.job AND done + failed = total AND finished_at IS NULL;
END;

-- A job was cancelled.
CREATE TRIGGER incoming_cancel INSTEAD OF INSERT ON incoming WHEN NEW.kind = 4 BEGIN
    SELECT RAISE(ABORT, 'there is no such job')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND NOT removed);
    UPDATE jobs SET cancelled_at = coalesce(cancelled_at, NEW.at),
                    finished_at = coalesce(finished_at, NEW.at)
    WHERE job = NEW.job;
    DELETE FROM leases
    WHERE task >= NEW.job << 32 AND task <= (NEW.job << 32 | 0xffffffff);
END;

-- Tasks were finished: `key` is the record's sequence, `count` the least number of tasks that the
-- job must have for it.
CREATE TRIGGER incoming_outcomes INSTEAD OF INSERT ON incoming WHEN NEW.kind = 5 BEGIN
    SELECT RAISE(ABORT, 'the job has no such task')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total >= NEW.count AND NOT removed);
    INSERT INTO records VALUES (NEW.key, NEW.job, NEW.bytes, NEW.numbers, NEW.head, NEW.body);
    INSERT INTO finished SELECT NEW.job << 32 | value, NEW.key FROM json_each(NEW.numbers);
    INSERT INTO failures SELECT NEW.job << 32 | value FROM json_each(NEW.failed);
    UPDATE jobs
    SET done = done + json_array_length(NEW.numbers) - json_array_length(NEW.failed),
        failed = failed + json_array_length(NEW.failed)
    WHERE job = NEW.job;
    UPDATE jobs SET finished_at = max(created, NEW.at)
    WHERE job = NEW.job AND ended AND done + failed = total AND finished_at IS NULL;
END;

-- Finished tasks are with nobody. Jobs without leases pay for one look, not for each task.
CREATE TRIGGER incoming_outcomes_leased INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 5 AND EXISTS (
    SELECT 1 FROM leases
    WHERE task >= NEW.job << 32 AND task <= (NEW.job << 32 | 0xffffffff)
) BEGIN
    DELETE FROM leases WHERE task IN (SELECT NEW.job << 32 | value FROM json_each(NEW.numbers));
END;

-- Attempts, crashes and failures of tasks so far: `numbers` is a list of [number, attempts,
-- crashes, failures]. The tasks are with no worker.
CREATE TRIGGER incoming_attempts INSTEAD OF INSERT ON incoming WHEN NEW.kind = 6 BEGIN
    SELECT RAISE(ABORT, 'the job has no such task')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total >= NEW.count AND NOT removed);
    INSERT INTO attempts (task, attempts, crashes, failures)
    SELECT NEW.job << 32 | json_extract(value, '$[0]'), json_extract(value, '$[1]'),
           json_extract(value, '$[2]'), json_extract(value, '$[3]')
    FROM json_each(NEW.numbers) WHERE true
    ON CONFLICT (task) DO UPDATE
    SET attempts = excluded.attempts, crashes = excluded.crashes, failures = excluded.failures;
    DELETE FROM leases WHERE task IN (
        SELECT NEW.job << 32 | json_extract(value, '$[0]') FROM json_each(NEW.numbers)
    );
END;

-- Numbers of jobs below this one may have been given out.
CREATE TRIGGER incoming_numbers INSTEAD OF INSERT ON incoming WHEN NEW.kind = 8 BEGIN
    UPDATE folder SET next_job = NEW.job;
END;

-- Attempts are with a worker, whose key is `head`: `numbers` is a list of [number, attempt]. Tasks
-- that are finished, or of a cancelled job, are with nobody.
CREATE TRIGGER incoming_leases INSTEAD OF INSERT ON incoming WHEN NEW.kind = 7 BEGIN
    SELECT RAISE(ABORT, 'the job has no such task')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total >= NEW.count AND NOT removed);
    INSERT INTO leases
    SELECT NEW.job << 32 | json_extract(value, '$[0]'), json_extract(value, '$[1]'), NEW.head
    FROM json_each(NEW.numbers)
    WHERE NOT EXISTS (
        SELECT 1 FROM finished WHERE task = NEW.job << 32 | json_extract(value, '$[0]')
    ) AND NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND cancelled_at IS NOT NULL)
    ON CONFLICT (task) DO UPDATE SET attempt = excluded.attempt, worker = excluded.worker;
    INSERT INTO attempts (task, attempts, crashes)
    SELECT NEW.job << 32 | json_extract(value, '$[0]'), json_extract(value, '$[1]'), 0
    FROM json_each(NEW.numbers) WHERE true
    ON CONFLICT (task) DO UPDATE SET attempts = excluded.attempts;
END;

-- A record names blobs.
CREATE TRIGGER incoming_blobs INSTEAD OF INSERT ON incoming WHEN NEW.blobs IS NOT NULL BEGIN
    INSERT INTO blob_uses SELECT value, NEW.job FROM json_each(NEW.blobs) WHERE true
    ON CONFLICT DO NOTHING;
END;
