-- Schema 5: what is kept to be shown: figures of jobs, attempts, history, events, settings.

-- Jobs as they are listed: by state, type, submitter, name.

-- Answers that are kept for requests which are made twice, by their idempotency keys.

-- Figures of what has finished of jobs.

-- Attempts that came to no outcome.

-- The server over time.

-- When workers were here.

-- What operators and the system did.

-- What operators have set.

-- Workers as operators call them.
