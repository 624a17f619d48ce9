-- Schema 5: what is kept to be shown: figures of jobs, attempts, history, events, settings.

-- Jobs as they are listed: by state, type, submitter, name.
--
-- A slim copy of what jobs are found and sorted by, so that looking through all of them is quick;
-- `state` is empty until the job has finished. Triggers on `jobs` keep it.
CREATE TABLE listed (
    job INTEGER PRIMARY KEY,
    created REAL NOT NULL,
    finished_at REAL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    submitter TEXT NOT NULL
) STRICT;

CREATE VIEW listings AS
SELECT job, created, finished_at,
       CASE WHEN finished_at IS NULL THEN '' WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN failed THEN 'failed' ELSE 'done' END AS state,
       coalesce(name, '') AS name, coalesce(type, '') AS type, coalesce(submitter, '') AS submitter
FROM jobs WHERE NOT removed;

INSERT INTO listed SELECT * FROM listings;

CREATE TRIGGER listed_new AFTER INSERT ON jobs BEGIN
    INSERT INTO listed SELECT * FROM listings WHERE job = NEW.job;
END;

CREATE TRIGGER listed_changed
AFTER UPDATE OF spec, cancelled_at, finished_at, removed ON jobs BEGIN
    DELETE FROM listed WHERE job = NEW.job;
    INSERT INTO listed SELECT * FROM listings WHERE job = NEW.job;
END;

CREATE TRIGGER listed_gone AFTER DELETE ON jobs BEGIN
    DELETE FROM listed WHERE job = OLD.job;
END;

-- Answers that are kept for requests which are made twice, by their idempotency keys.

-- Figures of what has finished of jobs.
--
-- Up to the record of this `sequence`; what came later is counted from `records`. `data` is for the
-- server alone. Figures of jobs with few tasks are not here: they are counted when they are asked for.

CREATE TABLE figures (
    job INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- `key` is the sequence. Who is late for the job is passed over.
CREATE TRIGGER incoming_figures INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 51 AND EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND NOT removed) BEGIN
    INSERT INTO figures VALUES (NEW.job, NEW.key, NEW.body)
    ON CONFLICT (job) DO UPDATE SET sequence = excluded.sequence, data = excluded.data;
END;

-- Attempts that came to no outcome.
--
-- How attempts ended whose tasks were tried again: the newest of each task. `body` is a JSON list of
-- number, attempt, worker, end, ended and began (Unix times), seconds, error and traceback.

CREATE TABLE attempt_ends (
    task INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (task, attempt)
) STRICT;

-- How many of these there are of a job.
CREATE TABLE attempt_end_counts (
    job INTEGER PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT;

-- `numbers` is a list of such lists. They are kept while the job has fewer
-- than `count`; of a task the newest `bytes` attempts are. Who is late for the job is passed over.
CREATE TRIGGER incoming_attempt_ends INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 50 AND EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND NOT removed)
AND coalesce((SELECT count FROM attempt_end_counts WHERE job = NEW.job), 0) < NEW.count BEGIN
    INSERT INTO attempt_end_counts VALUES (NEW.job, 0) ON CONFLICT DO NOTHING;
    DELETE FROM attempt_ends WHERE rowid IN (
        SELECT a.rowid FROM json_each(NEW.numbers) n JOIN attempt_ends a
        ON a.task = NEW.job << 32 | json_extract(n.value, '$[0]')
        WHERE a.attempt = json_extract(n.value, '$[1]')
           OR a.attempt <= json_extract(n.value, '$[1]') - NEW.bytes
    );
    UPDATE attempt_end_counts SET count = count - changes() WHERE job = NEW.job;
    INSERT INTO attempt_ends
    SELECT NEW.job << 32 | json_extract(value, '$[0]'), json_extract(value, '$[1]'), value
    FROM json_each(NEW.numbers) WHERE true
    ON CONFLICT DO NOTHING;
    UPDATE attempt_end_counts SET count = count + changes() WHERE job = NEW.job;
END;

-- The server over time.

-- When workers were here.

-- What operators and the system did.

-- What operators have set.

-- Workers as operators call them.
