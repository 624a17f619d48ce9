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
--
-- In steps of 10 seconds, a minute, ten minutes and two hours; of each so many are kept, the newest.
-- `done` and `failed` are tasks that had their outcomes in a step; the rest is as it was at its end.
CREATE TABLE history (
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    running INTEGER NOT NULL,
    workers INTEGER NOT NULL,
    away INTEGER NOT NULL,
    slots INTEGER NOT NULL,
    busy INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (step, at)
) STRICT, WITHOUT ROWID;

-- Steps are over: `head` is a list of rows as in `history`, without `step`, in their order. Each goes
-- into a step of every length.
CREATE TRIGGER incoming_history INSTEAD OF INSERT ON incoming WHEN NEW.kind = 61 BEGIN
    INSERT INTO history
    SELECT step, json_extract(value, '$[0]') / step * step,
           json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
           json_extract(value, '$[4]'), json_extract(value, '$[5]'), json_extract(value, '$[6]'),
           json_extract(value, '$[7]'), json_extract(value, '$[8]'), json_extract(value, '$[9]')
    FROM json_each(NEW.head)
    CROSS JOIN (SELECT 10 AS step UNION ALL SELECT 60 UNION ALL SELECT 600 UNION ALL SELECT 7200)
    WHERE true
    ON CONFLICT (step, at) DO UPDATE
    SET done = done + excluded.done, failed = failed + excluded.failed,
        queued = excluded.queued, running = excluded.running, workers = excluded.workers,
        away = excluded.away, slots = excluded.slots, busy = excluded.busy, bytes = excluded.bytes;
    DELETE FROM history WHERE step = 10 AND at <= (
        SELECT at FROM history WHERE step = 10 ORDER BY at DESC LIMIT 1 OFFSET 1080
    );
    DELETE FROM history WHERE step = 60 AND at <= (
        SELECT at FROM history WHERE step = 60 ORDER BY at DESC LIMIT 1 OFFSET 2880
    );
    DELETE FROM history WHERE step = 600 AND at <= (
        SELECT at FROM history WHERE step = 600 ORDER BY at DESC LIMIT 1 OFFSET 4320
    );
    DELETE FROM history WHERE step = 7200 AND at <= (
        SELECT at FROM history WHERE step = 7200 ORDER BY at DESC LIMIT 1 OFFSET 8760
    );
END;

-- When workers were here.
--
-- `until` is null while the worker of a key is here; `done` and `failed` are tasks that ended on it in
-- that time, as far as it is known.
CREATE TABLE presence (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX presence_of_worker ON presence (key, since);

CREATE INDEX presence_open ON presence (until) WHERE until IS NULL;

-- `head` is a list of rows, as they are now; `at` is when all ended that is open, where it is not null.
-- The last 100 of a worker are kept, and the last 100,000 of all.
CREATE TRIGGER incoming_presence INSTEAD OF INSERT ON incoming WHEN NEW.kind = 62 BEGIN
    UPDATE presence SET until = max(since, NEW.at) WHERE until IS NULL AND NEW.at IS NOT NULL;
    INSERT INTO presence (key, since, until, done, failed)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]')
    FROM json_each(NEW.head) WHERE true
    ON CONFLICT (key, since) DO UPDATE
    SET until = excluded.until, done = excluded.done, failed = excluded.failed;
    DELETE FROM presence WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY key ORDER BY since DESC) AS place
            FROM presence
            WHERE key IN (SELECT json_extract(value, '$[0]') FROM json_each(NEW.head))
        ) WHERE place > 100
    );
    DELETE FROM presence WHERE id <= (SELECT max(id) FROM presence) - 100000;
END;

-- What operators and the system did.
--
-- `spec` is a list of number, time, level, kind, who, text, job, task and worker. `family` is what a
-- kind begins with, before its point. The last 100,000 are kept.
CREATE TABLE events (
    event INTEGER PRIMARY KEY,
    level TEXT NOT NULL,
    kind TEXT NOT NULL,
    family TEXT NOT NULL,
    who TEXT NOT NULL,
    job INTEGER,
    worker TEXT NOT NULL,
    text TEXT NOT NULL,
    spec TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_level ON events (level, event);
CREATE INDEX events_of_kind ON events (kind, event);
CREATE INDEX events_of_family ON events (family, event);
CREATE INDEX events_of_who ON events (who, event);
CREATE INDEX events_of_job ON events (job, event) WHERE job IS NOT NULL;
CREATE INDEX events_of_worker ON events (worker, event) WHERE worker != '';

-- `head` is a list of such lists.
CREATE TRIGGER incoming_events INSTEAD OF INSERT ON incoming WHEN NEW.kind = 63 BEGIN
    INSERT INTO events
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
           substr(json_extract(value, '$[3]'), 1, instr(json_extract(value, '$[3]'), '.') - 1),
           json_extract(value, '$[4]'), json_extract(value, '$[6]'), json_extract(value, '$[8]'),
           json_extract(value, '$[5]'), value
    FROM json_each(NEW.head);
    DELETE FROM events WHERE event <= (SELECT max(event) FROM events) - 100000;
END;

-- What operators have set: over the command line, and until they take it back.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `key` is set to `head`, or not any more.
CREATE TRIGGER incoming_setting INSTEAD OF INSERT ON incoming WHEN NEW.kind = 64 BEGIN
    DELETE FROM settings WHERE name = NEW.key;
    INSERT INTO settings SELECT NEW.key, NEW.head WHERE NEW.head IS NOT NULL;
END;

-- Workers as operators call them.
