-- Schema 3: what operators have decided.
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
