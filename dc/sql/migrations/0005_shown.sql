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

-- Attempts that came to no outcome.

-- The server over time.

-- When workers were here.

-- What operators and the system did.

-- What operators have set.

-- Workers as operators call them.
