-- Schema 4: data of any size, and plugins that arrive by themselves.

-- --- plugins --------------------------------------------------------------------------------------
--
-- Plugins that the server has or had, each by the SHA-256 of its archive, which is a blob. `manifest`
-- and `types` are JSON. One that is there already and is added again is the newest of its name again.

CREATE TABLE plugins (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    types TEXT NOT NULL,
    signer TEXT NOT NULL,
    signature TEXT NOT NULL,
    added REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX plugins_of_name ON plugins (name, added);

-- The plugin whose code a job's tasks run: empty if that is not known. The job names its archive in
-- `blob_uses`, as it does its inputs.
ALTER TABLE jobs ADD COLUMN plugin TEXT
    GENERATED ALWAYS AS (coalesce(json_extract(spec, '$.plugin'), '')) VIRTUAL;

-- A plugin, which is `key`: `head` is a list of its name, manifest, types, signer and signature,
-- `count` the size of its archive in bytes.
CREATE TRIGGER incoming_plugin INSTEAD OF INSERT ON incoming WHEN NEW.kind = 40 BEGIN
    INSERT INTO plugins
    VALUES (NEW.key, json_extract(NEW.head, '$[0]'), NEW.count, json_extract(NEW.head, '$[1]'),
            json_extract(NEW.head, '$[2]'), json_extract(NEW.head, '$[3]'),
            json_extract(NEW.head, '$[4]'), NEW.at)
    ON CONFLICT (digest) DO UPDATE
    SET name = excluded.name, size = excluded.size, manifest = excluded.manifest,
        types = excluded.types, signer = excluded.signer, signature = excluded.signature,
        added = excluded.added;
END;

-- --- how much there is of a job -------------------------------------------------------------------
--
-- `bytes` counts payloads, results, common inputs and output of a job, inline and in blobs, as they
-- came: what quotas are about. A failure is not counted, a blob each time that it is named.
--
-- `blobs` of a record is null where all its bytes are inline; else it has `names`, of blobs, and the
-- `size` of all that the record adds to `bytes`.
ALTER TABLE jobs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

-- What the whole output of a task is in, where its job keeps that.
ALTER TABLE outputs ADD COLUMN digest TEXT;
ALTER TABLE outputs ADD COLUMN size INTEGER NOT NULL DEFAULT 0;

UPDATE jobs SET bytes =
    coalesce((SELECT sum(length(payloads)) FROM batches
              WHERE task BETWEEN job << 32 AND (job << 32 | 0xffffffff)), 0)
    + coalesce((SELECT sum(length(outcomes)) FROM records r WHERE r.job = jobs.job), 0)
    + coalesce((SELECT sum(length(body) + 64) FROM outputs
                WHERE task BETWEEN job << 32 AND (job << 32 | 0xffffffff)), 0);

-- The name of a blob is a list of a word, its SHA-256 and its size.
UPDATE jobs SET bytes = bytes + added.size FROM (
    SELECT job, sum(json_extract(CAST(piece AS TEXT), '$[2]') - length(piece)) AS size FROM (
        SELECT task >> 32 AS job, substr(payloads, start + 1, stop - start) AS piece FROM (
            SELECT task, payloads, e.value AS stop,
                   iif(e.key, json_extract(head, '$.ends[' || (e.key - 1) || ']'), 0) AS start
            FROM batches, json_each(head, '$.ends') e
            WHERE substr(head, -11) != '"kinds":""}'
              AND substr(json_extract(head, '$.kinds'), e.key + 1, 1) = 'b'
        )
        UNION ALL
        SELECT job, substr(outcomes, start + 1, stop - start) FROM (
            SELECT job, outcomes, e.value AS stop,
                   iif(e.key, json_extract(head, '$.ends[' || (e.key - 1) || ']'), 0) AS start
            FROM records, json_each(head, '$.ends') e
            WHERE substr(head, -11) != '"kinds":""}'
              AND substr(json_extract(head, '$.kinds'), e.key + 1, 1) = 'b'
        )
    ) GROUP BY job
) added WHERE added.job = jobs.job;

-- A job was submitted: `key` is the submission's. Its inputs and its plugin are `blobs`.
DROP TRIGGER incoming_job;

CREATE TRIGGER incoming_job INSTEAD OF INSERT ON incoming WHEN NEW.kind = 1 BEGIN
    INSERT INTO jobs (job, spec, created, key, bytes)
    VALUES (NEW.job, NEW.head, NEW.at, NEW.key,
            coalesce(json_extract(NEW.blobs, '$.size'), 0));
    INSERT INTO blob_uses SELECT value, NEW.job FROM json_each(NEW.blobs, '$.names') WHERE true
    ON CONFLICT DO NOTHING;
END;

-- Tasks were added to a job: `key` is the number of the first.
DROP TRIGGER incoming_tasks;

CREATE TRIGGER incoming_tasks INSTEAD OF INSERT ON incoming WHEN NEW.kind = 2 BEGIN
    SELECT RAISE(ABORT, 'the tasks do not follow the last one of an open job')
    WHERE NOT EXISTS (
        SELECT 1 FROM jobs WHERE job = NEW.job AND total = NEW.key AND NOT ended AND NOT removed
    );
    INSERT INTO batches VALUES (NEW.job << 32 | NEW.key, NEW.count, NEW.head, NEW.body);
    UPDATE jobs SET total = total + NEW.count,
                    bytes = bytes + coalesce(json_extract(NEW.blobs, '$.size'), length(NEW.body))
    WHERE job = NEW.job;
END;

-- Tasks were finished: `key` is the record's sequence, `count` the least number of tasks that the
-- job must have for it.
DROP TRIGGER incoming_outcomes;

CREATE TRIGGER incoming_outcomes INSTEAD OF INSERT ON incoming WHEN NEW.kind = 5 BEGIN
    SELECT RAISE(ABORT, 'the job has no such task')
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE job = NEW.job AND total >= NEW.count AND NOT removed);
    INSERT INTO records VALUES (NEW.key, NEW.job, NEW.bytes, NEW.numbers, NEW.head, NEW.body);
    INSERT INTO finished SELECT NEW.job << 32 | value, NEW.key FROM json_each(NEW.numbers);
    INSERT INTO failures SELECT NEW.job << 32 | value FROM json_each(NEW.failed);
    UPDATE jobs
    SET done = done + json_array_length(NEW.numbers) - json_array_length(NEW.failed),
        failed = failed + json_array_length(NEW.failed),
        bytes = bytes + coalesce(json_extract(NEW.blobs, '$.size'), length(NEW.body))
    WHERE job = NEW.job;
    UPDATE jobs SET finished_at = max(created, NEW.at)
    WHERE job = NEW.job AND ended AND done + failed = total AND finished_at IS NULL;
END;

-- A record of tasks or outcomes names blobs.
DROP TRIGGER incoming_blobs;

CREATE TRIGGER incoming_blobs INSTEAD OF INSERT ON incoming
WHEN NEW.kind IN (2, 5) AND NEW.blobs IS NOT NULL BEGIN
    INSERT INTO blob_uses SELECT value, NEW.job FROM json_each(NEW.blobs, '$.names') WHERE true
    ON CONFLICT DO NOTHING;
END;

-- A task has written something: `key` is its number, `head` has attempt, total, split, and the
-- SHA-256 and the size of a blob with all of it. Who is late for the job is passed over.
DROP TRIGGER incoming_output;

CREATE TRIGGER incoming_output INSTEAD OF INSERT ON incoming
WHEN NEW.kind = 30 AND EXISTS (
    SELECT 1 FROM jobs WHERE job = NEW.job AND total > NEW.key AND NOT removed
) BEGIN
    UPDATE output_sizes SET bytes = bytes - coalesce(
        (SELECT length(body) + 64 FROM outputs WHERE task = NEW.job << 32 | NEW.key), 0
    ) WHERE job = NEW.job;
    INSERT INTO outputs
    VALUES (NEW.job << 32 | NEW.key, json_extract(NEW.head, '$[0]'),
            json_extract(NEW.head, '$[1]'), json_extract(NEW.head, '$[2]'), NEW.body,
            json_extract(NEW.head, '$[3]'), json_extract(NEW.head, '$[4]'))
    ON CONFLICT (task) DO UPDATE SET attempt = excluded.attempt, total = excluded.total,
                                     split = excluded.split, body = excluded.body,
                                     digest = excluded.digest, size = excluded.size;
    INSERT INTO output_sizes VALUES (NEW.job, length(NEW.body) + 64)
    ON CONFLICT (job) DO UPDATE SET bytes = bytes + excluded.bytes;
    INSERT INTO blob_uses SELECT json_extract(NEW.head, '$[3]'), NEW.job
    WHERE json_extract(NEW.head, '$[3]') IS NOT NULL
    ON CONFLICT DO NOTHING;
    UPDATE jobs SET bytes = bytes + length(NEW.body) + 64 + json_extract(NEW.head, '$[4]')
    WHERE job = NEW.job;
END;
