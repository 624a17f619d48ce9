-- Every query of the store, by name.
--
-- A query that may find many rows gives them as one row of JSON lists and joined blobs: Python lets
-- go of its lock at each row it fetches, and beside a busy loop may wait long to get it back.
-- group_concat() joins blobs byte by byte; only the type it gives them must be set right again.

-- name: identity
-- The name of the data folder.
SELECT identity FROM folder;

-- name: next_ids
-- The numbers of the next job and of the next record of outcomes.
SELECT max(next_job, (SELECT coalesce(max(job), 0) + 1 FROM jobs)),
       max(next_sequence, (SELECT coalesce(max(sequence), 0) + 1 FROM records))
FROM folder;

-- name: workers
-- The workers that are remembered, those first that were here longest ago.
SELECT '[' || coalesce(group_concat(spec), '') || ']' FROM (
    SELECT spec FROM workers ORDER BY seen, key
);

-- name: job
-- One job.
SELECT job, spec, created, ended, cancelled_at, total, done, failed, key,
       paused, why, retried, bytes, finished_at FROM jobs
WHERE job = :job AND NOT removed;

-- name: job_of_key
-- The newest job that was submitted under a key.
SELECT job, spec, created, ended, cancelled_at, total, done, failed, key,
       paused, why, retried, bytes, finished_at FROM jobs
WHERE key = :key AND key != '' AND NOT removed ORDER BY job DESC LIMIT 1;

-- name: jobs
-- Jobs below a number, of one submitter or (with an empty name) of all, the newest first.
SELECT job, spec, created, ended, cancelled_at, total, done, failed, key,
       paused, why, retried, bytes, finished_at FROM jobs
WHERE job < :before AND NOT removed AND (:submitter = '' OR submitter = :submitter)
ORDER BY job DESC LIMIT :limit;

-- name: listed_by_job
-- Jobs that are wanted, below a number, the newest first. `states` has the ends that are wanted,
-- between commas, and `live` numbers of jobs that are wanted beside.
SELECT json_group_array(job) FROM (
    SELECT job FROM listed
    WHERE (:type = '' OR type = :type) AND (:submitter = '' OR submitter = :submitter)
    AND (:search = '' OR instr(lower(name), :search))
    AND (:states = '' OR (state != '' AND instr(:states, ',' || state || ','))
         OR job IN (SELECT value FROM json_each(:live)))
    AND job < :below
    ORDER BY job DESC LIMIT :limit
);

-- name: listed_up
-- The same, sorted by something else: those behind a key and a job. Unfinished ones finish last.
SELECT json_group_array(job) FROM (
    SELECT job, key FROM (
        SELECT job, CASE :sort WHEN 'job' THEN job WHEN 'created' THEN created WHEN 'finished' THEN coalesce(finished_at, 1e15)
                      ELSE lower(name) END AS key
        FROM listed
        WHERE (:type = '' OR type = :type) AND (:submitter = '' OR submitter = :submitter)
        AND (:search = '' OR instr(lower(name), :search))
        AND (:states = '' OR (state != '' AND instr(:states, ',' || state || ','))
             OR job IN (SELECT value FROM json_each(:live)))
    )
    WHERE :after IS NULL OR (key, job) > (:key, :after)
    ORDER BY key, job LIMIT :limit
);

-- name: listed_down
-- The same downwards.
SELECT json_group_array(job) FROM (
    SELECT job, key FROM (
        SELECT job, CASE :sort WHEN 'job' THEN job WHEN 'created' THEN created WHEN 'finished' THEN coalesce(finished_at, 1e15)
                      ELSE lower(name) END AS key
        FROM listed
        WHERE (:type = '' OR type = :type) AND (:submitter = '' OR submitter = :submitter)
        AND (:search = '' OR instr(lower(name), :search))
        AND (:states = '' OR (state != '' AND instr(:states, ',' || state || ','))
             OR job IN (SELECT value FROM json_each(:live)))
    )
    WHERE :after IS NULL OR (key, job) < (:key, :after)
    ORDER BY key DESC, job DESC LIMIT :limit
);

-- name: jobs_among
-- These jobs.
SELECT job, spec, created, ended, cancelled_at, total, done, failed, key,
       paused, why, retried, bytes, finished_at FROM jobs
WHERE job IN (SELECT value FROM json_each(:numbers)) AND NOT removed;

-- name: open_jobs
-- Jobs that are not cancelled and have, or may get, tasks without outcome; the oldest first.
SELECT job, spec, created, ended, cancelled_at, total, done, failed, key,
       paused, why, retried, bytes, finished_at FROM jobs
WHERE finished_at IS NULL ORDER BY job;

-- name: submitters
-- The weights of submitters.
SELECT name, weight FROM submitters ORDER BY name;

-- name: retried
-- How many outcomes of a job were set aside.
SELECT coalesce((SELECT retried FROM jobs WHERE job = :job), 0);

-- name: totals
-- Tasks of all jobs: all, done, failed, cancelled.
SELECT coalesce(sum(total), 0), coalesce(sum(done), 0), coalesce(sum(failed), 0),
       coalesce(sum(total - done - failed) FILTER (WHERE cancelled_at IS NOT NULL), 0)
FROM jobs WHERE NOT removed;

-- name: batches_of
-- The batches that hold these tasks, with their sizes in bytes.
SELECT json_group_array(task), json_group_array(size) FROM (
    SELECT task, length(payloads) AS size FROM batches
    WHERE task IN (
        SELECT (SELECT max(b.task) FROM batches b WHERE b.task <= (:job << 32 | n.value))
        FROM json_each(:numbers) n
    ) AND task >= :job << 32
    ORDER BY task
);

-- name: batches_between
-- The batches that hold the tasks from :first to :last, with their sizes in bytes.
SELECT json_group_array(task), json_group_array(size) FROM (
    SELECT task, length(payloads) AS size FROM batches
    WHERE task >= (SELECT max(b.task) FROM batches b WHERE b.task <= (:job << 32 | :first))
    AND task >= :job << 32 AND task <= (:job << 32 | :last)
    ORDER BY task
);

-- name: batches
-- These batches, whole.
SELECT json_group_array(task & 0xffffffff), '[' || group_concat(head) || ']',
       json_group_array(length(payloads)), CAST(group_concat(payloads, '') AS BLOB)
FROM (SELECT * FROM batches WHERE task IN (SELECT value FROM json_each(:keys)) ORDER BY task);

-- name: batches_bare
-- These batches, without the payloads of those that have but bytes: the heads tell their sizes.
SELECT json_group_array(task & 0xffffffff), '[' || group_concat(head) || ']',
       json_group_array(length(body)), CAST(group_concat(body, '') AS BLOB)
FROM (SELECT task, head, iif(instr(head, '"kinds":""'), x'', payloads) AS body
      FROM batches WHERE task IN (SELECT value FROM json_each(:keys)) ORDER BY task);

-- name: records_after
-- The first records of a job after a sequence: until :bytes are reached, and :most at most.
SELECT json_group_array(sequence), json_group_array(bytes) FROM (
    SELECT sequence, bytes, sum(bytes) OVER (ORDER BY sequence) - bytes AS before FROM (
        SELECT sequence, bytes FROM records
        WHERE job = :job AND sequence > :after ORDER BY sequence LIMIT :most
    )
) WHERE before < :bytes;

-- name: record_bytes
-- The sizes of these records.
SELECT json_group_array(sequence), json_group_array(bytes) FROM (
    SELECT sequence, bytes FROM records
    WHERE sequence IN (SELECT value FROM json_each(:sequences)) ORDER BY sequence
);

-- name: records
-- These records, whole.
SELECT json_group_array(sequence), '[' || group_concat(numbers) || ']',
       '[' || group_concat(head) || ']', json_group_array(length(outcomes)),
       CAST(group_concat(outcomes, '') AS BLOB)
FROM (SELECT * FROM records WHERE sequence IN (SELECT value FROM json_each(:sequences))
      ORDER BY sequence);

-- name: finished_from
-- Finished tasks of a job from :first on and below :end, each with the sequence of its record.
SELECT json_group_array(task & 0xffffffff), json_group_array(sequence) FROM (
    SELECT task, sequence FROM finished
    WHERE task >= (:job << 32 | :first) AND task < (:job << 32) + :end ORDER BY task LIMIT :limit
);

-- name: finished_among
-- Which of these tasks are finished, each with the sequence of its record.
SELECT json_group_array(task & 0xffffffff), json_group_array(sequence) FROM finished
WHERE task IN (SELECT :job << 32 | value FROM json_each(:numbers));

-- name: done_from
-- Tasks with a result from :first on and below :end.
SELECT json_group_array(task & 0xffffffff) FROM (
    SELECT task FROM finished
    WHERE task >= (:job << 32 | :first) AND task < (:job << 32) + :end
    AND NOT EXISTS (SELECT 1 FROM failures WHERE failures.task = finished.task)
    ORDER BY task LIMIT :limit
);

-- name: finished_count
-- How many tasks of a job from :first on and below :end are finished.
SELECT count(*) FROM finished
WHERE task >= (:job << 32 | :first) AND task < (:job << 32) + :end;

-- name: failures_from
-- Failed tasks of a job from a number on.
SELECT json_group_array(task & 0xffffffff) FROM (
    SELECT task FROM failures
    WHERE task >= (:job << 32 | :first) AND task < (:job + 1) << 32 ORDER BY task LIMIT :limit
);

-- name: failures_among
-- Which of these tasks have failed.
SELECT json_group_array(task & 0xffffffff) FROM failures
WHERE task IN (SELECT :job << 32 | value FROM json_each(:numbers));

-- name: attempts_between
-- Attempts, crashes and failures of tasks from :first to :last, where they are known.
SELECT json_group_array(json_array(task & 0xffffffff, attempts, crashes, failures)) FROM attempts
WHERE task >= (:job << 32 | :first) AND task <= (:job << 32 | :last);

-- name: attempts_among
-- Attempts, crashes and failures of these tasks, where they are known.
SELECT json_group_array(json_array(task & 0xffffffff, attempts, crashes, failures)) FROM attempts
WHERE task IN (SELECT :job << 32 | value FROM json_each(:numbers));

-- name: leases_between
-- Tasks from :first to :last that are with a worker, and its key.
SELECT json_group_array(json_array(task >> 32, task & 0xffffffff, attempt, worker)) FROM leases
WHERE task >= (:job << 32 | :first) AND task <= (:job << 32 | :last);

-- name: leases
-- All tasks that are with a worker, and its key.
SELECT json_group_array(json_array(task >> 32, task & 0xffffffff, attempt, worker)) FROM (
    SELECT * FROM leases ORDER BY task
);

-- name: output
-- What a task has written.
SELECT attempt, total, split, body, digest, size FROM outputs
WHERE task = (:job << 32 | :number)
AND EXISTS (SELECT 1 FROM jobs WHERE job = :job AND NOT removed);

-- name: checkpoints_among
-- The checkpoints of these tasks, where there is one.
SELECT json_group_array(task & 0xffffffff), json_group_array(digest),
       json_group_array(length(data)), CAST(group_concat(data, '') AS BLOB)
FROM (SELECT * FROM checkpoints
      WHERE task IN (SELECT :job << 32 | value FROM json_each(:numbers)) ORDER BY task);

-- name: checkpointed
-- All tasks that have a checkpoint.
SELECT json_group_array(json_array(task >> 32, task & 0xffffffff)) FROM (
    SELECT task FROM checkpoints ORDER BY task
);

-- name: doubled
-- One of these tasks that is finished already, or nothing.
SELECT min(task & 0xffffffff) FROM finished
WHERE task IN (SELECT :job << 32 | value FROM json_each(:numbers));

-- name: used_blobs
-- The names, from :first to :last, of blobs that jobs, checkpoints or plugins name.
SELECT json_group_array(digest) FROM (
    SELECT digest FROM blob_uses WHERE digest BETWEEN :first AND :last
    UNION
    SELECT digest FROM checkpoints WHERE digest BETWEEN :first AND :last
    UNION
    SELECT digest FROM plugins WHERE digest BETWEEN :first AND :last
    ORDER BY digest
);

-- name: plugins
-- The plugins, of each name the newest first.
SELECT digest, size, name, manifest, types, added, signer, signature FROM plugins
ORDER BY name, added DESC, digest DESC;

-- name: drop_plugins
-- Forget plugins that no job runs and that others of their names took the places of before :before.
DELETE FROM plugins
WHERE NOT EXISTS (SELECT 1 FROM blob_uses u WHERE u.digest = plugins.digest)
AND EXISTS (
    SELECT 1 FROM plugins o WHERE o.name = plugins.name AND o.added < :before
    AND (o.added, o.digest) > (plugins.added, plugins.digest)
)
RETURNING digest;

-- name: removable
-- Jobs that are being removed, and the finished ones that go first: those finished before :before,
-- and those beyond the newest :keep; 0 for either means no limit.
SELECT json_group_array(job) FROM (
    SELECT job FROM jobs WHERE removed
    UNION ALL
    SELECT job FROM (
        SELECT job FROM jobs WHERE finished_at IS NOT NULL AND NOT removed
        ORDER BY finished_at, job
        LIMIT max(
            (SELECT count(*) FROM jobs
             WHERE finished_at IS NOT NULL AND NOT removed AND finished_at < :before),
            iif(:keep, (SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL AND NOT removed)
                       - :keep, 0)
        )
    )
    LIMIT :limit
);

-- name: removing
-- Whether a job has finished, and whether it is being removed.
SELECT finished_at IS NOT NULL, removed FROM jobs WHERE job = :job;

-- name: keep_numbers
-- Never give the numbers of what is there again.
UPDATE folder
SET next_job = max(next_job, (SELECT coalesce(max(job), 0) + 1 FROM jobs)),
    next_sequence = max(next_sequence, (SELECT coalesce(max(sequence), 0) + 1 FROM records));

-- name: hide
-- Hide a job that is to be removed.
UPDATE jobs SET removed = 1 WHERE job = :job;

-- name: remove_finished
-- Remove some finished tasks of a job.
DELETE FROM finished WHERE task IN (
    SELECT task FROM finished
    WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) ORDER BY task LIMIT :limit
);

-- name: remove_failures
-- Remove some failed tasks of a job.
DELETE FROM failures WHERE task IN (
    SELECT task FROM failures
    WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) ORDER BY task LIMIT :limit
);

-- name: remove_attempts
-- Remove the attempts of some tasks of a job.
DELETE FROM attempts WHERE task IN (
    SELECT task FROM attempts
    WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) ORDER BY task LIMIT :limit
);

-- name: remove_leases
-- Remove the leases of some tasks of a job.
DELETE FROM leases WHERE task IN (
    SELECT task FROM leases
    WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) ORDER BY task LIMIT :limit
);

-- name: remove_batches
-- Remove some batches of a job, of :bytes together and some.
DELETE FROM batches WHERE task IN (
    SELECT task FROM (
        SELECT task, sum(size) OVER (ORDER BY task) - size AS before FROM (
            SELECT task, length(payloads) + 8 * count AS size FROM batches
            WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) ORDER BY task LIMIT :limit
        )
    ) WHERE before < :bytes
);

-- name: remove_records
-- Remove some records of a job, of :bytes together and some.
DELETE FROM records WHERE sequence IN (
    SELECT sequence FROM (
        SELECT sequence, sum(bytes) OVER (ORDER BY sequence) - bytes AS before FROM (
            SELECT sequence, bytes FROM records WHERE job = :job ORDER BY sequence LIMIT :limit
        )
    ) WHERE before < :bytes
);

-- name: remove_outputs
-- Remove some outputs of a job, of :bytes together and some.
DELETE FROM outputs WHERE task IN (
    SELECT task FROM (
        SELECT task, sum(size) OVER (ORDER BY task) - size AS before FROM (
            SELECT task, length(body) + 64 AS size FROM outputs
            WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) ORDER BY task LIMIT :limit
        )
    ) WHERE before < :bytes
);

-- name: remove_output_size
-- Remove the size of a job's outputs.
DELETE FROM output_sizes WHERE job = :job;

-- name: remove_checkpoints
-- Remove the checkpoints of a job: of one that has finished there are none.
DELETE FROM checkpoints WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff);

-- name: last_uses
-- Blobs that a job names and no other one, of those whose uses are removed next.
SELECT json_group_array(digest) FROM (
    SELECT digest FROM blob_uses WHERE job = :job ORDER BY digest LIMIT :limit
) u WHERE NOT EXISTS (SELECT 1 FROM blob_uses o WHERE o.digest = u.digest AND o.job != :job)
AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.digest = u.digest)
AND NOT EXISTS (SELECT 1 FROM plugins p WHERE p.digest = u.digest);

-- name: remove_uses
-- Remove some of a job's uses of blobs.
DELETE FROM blob_uses WHERE job = :job AND digest IN (
    SELECT digest FROM blob_uses WHERE job = :job ORDER BY digest LIMIT :limit
);

-- name: usage
-- How many bytes are counted of the jobs of each submitter.
SELECT coalesce(submitter, ''), sum(bytes) FROM jobs GROUP BY 1;

-- name: usage_of_job
-- Who submitted a job, and how many bytes are counted of it.
SELECT coalesce(submitter, ''), bytes FROM jobs WHERE job = :job;

-- name: remove_job
-- Remove a job of which nothing else is left.
DELETE FROM jobs WHERE job = :job AND removed;

-- name: history
-- The server from one time to before another, in steps of a resolution, ascending.
SELECT json_group_array(json_array(
    at, done, failed, queued, running, workers, away, slots, busy, bytes
)) FROM (SELECT * FROM history WHERE step = :step AND at >= :since AND at < :until ORDER BY at);

-- name: presence
-- When the worker of a key was here, the newest first.
SELECT json_group_array(json_array(key, since, until, done, failed))
FROM (SELECT * FROM presence WHERE key = :key ORDER BY since DESC);

-- name: settings
-- What operators have set.
SELECT name, value FROM settings ORDER BY name;

-- name: next_event
-- The number of the next event.
SELECT coalesce(max(event), 0) + 1 FROM events;

-- name: events
-- Events from one number to before another, with what is wanted of them, the newest first. Where
-- something is wanted that has an index, the reader puts it before what stands behind WHERE here.
SELECT '[' || coalesce(group_concat(spec), '') || ']' FROM (
SELECT spec FROM events WHERE event >= :first AND event < :before
  AND (:level = '' OR level = :level) AND (:kind = '' OR kind = :kind)
  AND (:family = '' OR family = :family) AND (:who = '' OR who = :who)
  AND (:job IS NULL OR job = :job) AND (:worker = '' OR worker = :worker)
  AND (:search = '' OR text LIKE :search ESCAPE '\')
ORDER BY event DESC LIMIT :limit);

-- name: attempt_ends
-- How attempts ended whose outcomes do not stand, of tasks of a job from :first on.
SELECT '[' || coalesce(group_concat(body), '') || ']' FROM (
    SELECT body FROM attempt_ends
    WHERE task BETWEEN (:job << 32 | :first) AND (:job << 32 | 0xffffffff)
    AND EXISTS (SELECT 1 FROM jobs WHERE job = :job AND NOT removed)
    ORDER BY task, attempt LIMIT :limit
);

-- name: remove_attempt_ends
-- Remove some ends of attempts of a job.
DELETE FROM attempt_ends WHERE rowid IN (
    SELECT rowid FROM attempt_ends
    WHERE task BETWEEN :job << 32 AND (:job << 32 | 0xffffffff) LIMIT :limit
);

-- name: remove_attempt_end_count
-- Remove how many ends of attempts there are of a job.
DELETE FROM attempt_end_counts WHERE job = :job;

-- name: figures
-- The figures of a job.
SELECT sequence, data FROM figures
WHERE job = :job AND EXISTS (SELECT 1 FROM jobs WHERE job = :job AND NOT removed);

-- name: remove_figures
-- Remove the figures of a job.
DELETE FROM figures WHERE job = :job;

-- name: bare_records
-- These records; without the bytes of their outcomes, where all of them are results.
SELECT json_group_array(sequence), '[' || group_concat(numbers) || ']',
       '[' || group_concat(head) || ']', json_group_array(length(outcomes)),
       CAST(coalesce(group_concat(outcomes, ''), '') AS BLOB)
FROM (SELECT sequence, numbers, head,
             iif(substr(head, -11) = '"kinds":""}', x'', outcomes) AS outcomes
      FROM records WHERE sequence IN (SELECT value FROM json_each(:sequences))
      ORDER BY sequence);

-- name: tokens
-- All tokens and sessions.
SELECT '[' || coalesce(group_concat(spec), '') || ']' FROM (SELECT spec FROM tokens ORDER BY id);

-- name: invites
-- All invites.
SELECT '[' || coalesce(group_concat(spec), '') || ']' FROM (SELECT spec FROM invites ORDER BY id);

-- name: worker_keys
-- All keys of workers.
SELECT '[' || coalesce(group_concat(spec), '') || ']'
FROM (SELECT spec FROM worker_keys ORDER BY key);

-- name: groups
-- All groups of workers.
SELECT '[' || coalesce(group_concat(spec), '') || ']' FROM (SELECT spec FROM groups ORDER BY name);

-- name: next_audit
-- The number of the next entry of the audit log.
SELECT coalesce(max(entry), 0) + 1 FROM audit;

-- name: audit
-- Entries of the audit log before a number, with what is wanted of them, the newest first.
SELECT json_group_array(json_array(entry, at, kind, ok, who, token, address, what)) FROM (
SELECT * FROM audit WHERE entry < :before
  AND (:kind = '' OR kind = :kind) AND (:family = '' OR family = :family)
  AND (:who = '' OR who = :who) AND (:address = '' OR address = :address)
  AND (:ok IS NULL OR ok = :ok)
ORDER BY entry DESC LIMIT :limit);
