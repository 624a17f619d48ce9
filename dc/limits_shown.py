"""Limits of what is shown: the API, streams, history, events, figures, metrics; each with its unit
and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dc.limits import KIB, MIB

WATCHERS: Final = 1000
"""Event streams over HTTP that are open at a time: each is a connection, and a task that waits."""

WATCHED_TOPICS: Final = 16
"""Topics of one such stream: a page shows a handful of things."""

WATCH_SECONDS: Final = 1.0
"""Between two looks at what is watched: people read no faster, and more looks would cost more."""

WATCH_SHARE: Final = 10.0
"""Times what a look at all that is watched has taken, that pass before the next: so looks take a
tenth of a processor at most, whatever is watched."""

WATCH_SECONDS_MOST: Final = 10.0
"""Between two looks, at most."""

WATCHED_ALL: Final = 1000
"""Different topics that are watched at a time: a look at one takes up to a millisecond."""

WATCH_BEAT_SECONDS: Final = 15.0
"""Of silence, after which a stream says that it is there: proxies close what is quiet for 30 to 60
seconds, and a reader that is gone is found out by the second try to send."""

WATCH_SEND_SECONDS: Final = 10.0
"""That a send to a watcher may take: by then it has missed ten states."""

WATCH_EVENTS: Final = 256
"""Events that are kept for all watchers together, and that are read at a time for one that is
further behind: some 100 KB."""

WATCH_RETRY_SECONDS: Final = 2.0
"""After which a browser connects again to a stream that broke."""

SUBMITTED_BYTES: Final = MIB
"""Of a job that is submitted over HTTP as one JSON value, which is read at once, in the loop: some
milliseconds. Lines of JSON have no such bound."""

SUBMITTED_TASKS: Final = 100_000
"""Tasks of such a job."""

SUBMITTING: Final = 200
"""Jobs that are being submitted over HTTP at a time; further ones are answered 429. Each may hold a
line and a batch: a gigabyte at worst."""

READ_AT_ONCE: Final = 256
"""Values of JSON that are read or written before others have their turn: below a millisecond."""

LINE_BYTES: Final = 4 * MIB
"""Of one payload as a line of JSON: as much as a message. What is larger is put to `/blobs`."""

GZIP_LEAST_BYTES: Final = KIB
"""Of an answer, from which on it is compressed for who takes that: below, a packet has room."""

GZIP_LOOP_BYTES: Final = 64 * KIB
"""Of an answer, above which a thread compresses it: so much takes a millisecond."""

GZIP_MOST_BYTES: Final = 16 * MIB
"""Of an answer, above which it is sent as it is."""

VIEW_BYTES: Final = 4 * MIB
"""Of a payload or result that a browser shows in place; what is larger is offered as a file."""

HISTORY_SECONDS: Final = 10
"""Of the finest steps in which the server's history is kept: a chart of an hour has 360."""

HISTORY_KEPT: Final[Mapping[int, int]] = MappingProxyType(
    {HISTORY_SECONDS: 1080, 60: 2880, 600: 4320, 7200: 8760}
)
"""How many steps are kept, by their seconds: 3 hours, 2 days, 30 days, 2 years; 17,040 rows in all,
of 50 bytes each. The schema of the store says the same."""

HISTORY_IDLE_SECONDS: Final = 60
"""After which steps are written down in which nothing changed: an idle server leaves its disk in
peace, and a chart is complete to a minute."""

HISTORY_POINTS: Final = 1000
"""Steps of one answer about the history: a wide screen has so many columns of pixels twice."""

PRESENCES_OF_WORKER: Final = 100
"""Times that are kept during which a worker was here, the newest; the schema says the same."""

PRESENCES_WAITING: Final = 50_000
"""Such times that wait for the disk, the newest: it may be full for days, while workers come and
go. At 200 bytes, and several for each worker that is known."""

PRESENCE_FIGURES_SECONDS: Final = 600.0
"""Between two times that is written down how many tasks have ended on the workers that are here."""

EVENTS_KEPT: Final = 100_000
"""Events that are kept, the newest: at 300 bytes each 30 MB with their indexes; the schema says the
same."""

EVENTS_SEARCHED: Final = 20_000
"""Events that one request looks through for a text: about 10 ms; the next one goes on."""

EVENT_SEARCH_CHARS: Final = 200
"""Of a text that is looked for in events."""

EVENT_CHARS: Final = 1000
"""Of the text of an event: an error in it is cut."""

EVENTS_AT_ONCE: Final = 20
"""Events of one kind that are each told for itself when many come at once; others are counted."""

EVENT_SECONDS: Final = 3.0
"""After which one more event of a kind may be told for itself: 20 in a minute."""

EVENTS_COUNTED_SECONDS: Final = 10.0
"""Between two events that say how many others there were of a kind."""

EVENTS_WAITING: Final = 1000
"""Events that wait for the disk: it may be full for days. What comes beyond that is counted."""

EVENT_NAMES: Final = 1000
"""Submitters that are told apart while events are only counted."""

DISK_LOOK_SECONDS: Final = 10.0
"""Between two looks at how much of the disk is free, for those who are shown it."""

DISK_LOW_TIMES: Final = 2
"""Times what is kept of the disk: less than that free is told; three times is well again."""

ATTENTION_SECONDS: Final = 2.0
"""Between two looks for what an operator should see, at the least."""

ATTENTION_LOOKED_AT: Final = 500
"""Jobs and workers that are looked at for that in a second: at about 10 us each that is half a
hundredth of a processor."""

ATTENTION_SECONDS_MOST: Final = 20.0
"""Between two such looks, at the most, however many jobs and workers there are."""

ATTENTION_ITEMS: Final = 50
"""Of that list: whoever has more to look at begins with these."""

# --- what is known of jobs and attempts, to be shown ----------------------------------------------

BEGUN_TASKS: Final = 100_000
"""Running tasks of which the server remembers when they began, at 200 bytes each: 20 MB."""

BEGUN_SWEPT: Final = 5000
"""Of these, that are looked at in one tick for whether they still run: some five milliseconds."""

BEGUN_LOOKED: Final = 4096
"""Of these, of one job, that are looked at to tell how long it takes: some five milliseconds."""

ATTEMPT_ENDS: Final = 20
"""Of a task, ends of attempts that are kept, the newest: nobody reads more."""

JOB_ATTEMPT_ENDS: Final = 200_000
"""Of a job, after which no more are kept, at about 300 bytes: 60 MB."""

ATTEMPT_ERROR_CHARS: Final = 1000
"""Of the error of such an attempt."""

ATTEMPT_TRACEBACK_CHARS: Final = 2000
"""Of its traceback, the end, where the reason stands."""

FIGURES_WORKERS: Final = 1000
"""Of a job, workers of which is counted what each has done, at 40 bytes; the rest counts as one."""

FIGURES_LANES: Final = 64
"""Of a job, workers of which is kept what each did over time; the rest counts as one lane."""

FIGURES_BINS: Final = 400
"""Steps of time in which that is kept: with one more, two become one. A picture has 400 columns."""

FIGURES_STEP_SECONDS: Final = 0.5
"""The shortest such step: workers report ten times a second."""

FAILURE_GROUPS: Final = 50
"""Of a job, failures that are told apart; the rest is counted."""

FAILURE_GROUP_CHARS: Final = 400
"""Of an error, by which failures are told apart, and which is shown of a group."""

FAILURE_GROUP_WORKERS: Final = 20
"""Workers of which is counted how many of a group failed there."""

FIGURES_KEPT_TASKS: Final = 1000
"""Outcomes beyond what the figures of a job on disk count, from which on they are written again: so
many are quickly counted anew, and small jobs cost no write at all."""

FIGURES_SECONDS: Final = 1.0
"""Between two writes of the figures of a job, at the least."""

FIGURES_BYTES_PER_SECOND: Final = 20 * KIB
"""Of the figures of a job that are written in the mean: large ones are written less often."""

SPANS_SHOWN: Final = 2000
"""Single attempts in a timeline, at most: more cannot be told apart, nor be read in a moment."""

TRACE_ENDS: Final = 10_000
"""Attempts whose outcomes do not stand in the trace of a job, at most: they are in memory."""

TRACE_READ_BYTES: Final = 64 * KIB
"""Outcomes, as limits of reads count them, that are read at a time for a trace: 1000 tasks, or one
record."""

TRACE_ATTEMPTS: Final = 1_000_000
"""Attempts in the trace of a job, at most, at 150 bytes each: viewers take no more."""

FIGURES_READ_BYTES: Final = 2 * MIB
"""Outcomes, as limits of reads count them, that are counted in one step: 32,000 tasks at most, some
ten milliseconds beside the loop."""

TIMED_TYPES: Final = 50
"""Task types of which the metrics have run times, each by itself; those after them are `other`."""

COUNTED_ROUTES: Final = 300
"""Kinds of requests that are counted each by itself (method, route, class of status): what is asked
for is the client's choice, and what is counted stays."""

ROUTE_PARTS: Final = 8
"""Of a path that is counted by itself: no path of dc has more."""

WHOLE_SECONDS: Final = 5.0
"""Between two looks at all jobs for how long they take together: with ten thousand one takes some
ten milliseconds."""


TURN_ITEMS: Final = 500
"""Jobs or workers that a look at all of them looks at before others have their turn: a millisecond
or two."""
