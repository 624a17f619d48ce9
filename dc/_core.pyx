"""The scheduler, which decides which worker gets which task: dense integers, and no IO at all.

The file is written in Cython's pure Python syntax. Compiled, it is the module `dc._core`; loaded
as plain Python it does the same, more slowly, which is how the tests run it a second time. C
integers wrap around and Python's do not, so every integer is checked where it enters: at the public
functions.

Theory of operation
-------------------
The scheduler knows numbers only. A task is looked at from four sides, and each side has its own
structure, so that no call walks over tasks, workers or classes:

1. By its name. An index from key (job and number) to record: heads of chains, the links in the
   records. Sixteen neighbouring numbers lie in one cache line of it, because tasks are submitted
   and finished in runs. Removing a task touches its own chain only.
2. By whose turn it is. A task's age is the stamp of the call that brought it, then its number; what
   comes late of a job, because not all was told at once, has the stamp of what came before. A job
   has a queue: a list in order of age, and beside it a pairing heap of the tasks that came (or came
   back) when the list had younger ones. The jobs of one class and one submitter are a *line*, with
   a heap of those that have something ready, ranked by (priority, turn, age of the oldest queued
   task). A group has a heap of *parties*, the submitters as it sees them; a party has a heap of
   *lanes*, which are what needs the same of a worker; and a lane has a heap of lines. So the tops
   of a group's heaps, down to the oldest task of a job, are exactly what is next. A job that is
   being cancelled, or is on hold, simply leaves its line's heap.
3. By who holds it. A worker's tasks are a list in order of assignment; it shares its links with the
   queue, as a task is in one of the two.
4. By time. One heap of retries and deadlines. A task has one timer at most and knows its place, so
   it is taken out at once and nothing outdated stays.

A record is 64 bytes, a cache line; its fields are strided views of one array. A finished task's
record goes to a free list. Jobs, lines, groups, memberships and workers are few against tasks
and are objects; those that are many hold no references, so the garbage collector passes them by.

What groups know of lines. A line can be in many groups, and its rank falls with every task that is
handed out; telling all of them each time would cost a walk. So a group knows a rank that may be
too high, never one too low:
- When a line's rank rises, its groups are told; when it falls, they are not.
- Before a group uses the top of a lane's heap, it compares it with the line itself, and corrects it
  (or drops it, if the line has nothing ready) until the top is true.
- A membership so corrected is `behind`. All that are not behind know a rank at least as high as
  `told`. If the line rises, but not above `told`, only those behind need to be told. So each
  telling is paid for by a look, except when a rank rises above everything told before: a higher
  priority, or an old task that comes back. That costs a step for each group of the class, as does,
  on an idle system, a task in a class that all groups wait for.

Whose turn. Jobs of equal priority share: first the submitters, then the jobs of each, by weight.
What is handed out is charged with its known cost, or `credit_seconds` if none is known, to the job
and to its submitter's party in the group of the worker. A turn is what was charged, in quanta, over
the weight; the lowest is next, and of equal ones the lower-numbered submitter's and the job with
the older task. It moves by whole quanta (`credit_seconds` of work), so that a batch
holds many tasks of few jobs; nobody gets more than a quantum, or a task, ahead of its share.
Whoever is served with a turn behind the clock, the highest at which another was served, starts from
the clock: idleness earns nothing. What comes back unrun is owed and is given again for nothing; so
a turn never falls, and a rank never rises, by what workers do.
A submitter has an account in each group, and one group's says nothing about another's. So a group
is shared alike by all who want it, whatever they have elsewhere, and nobody waits in a small group
until others have had as much as he had in a large one. The price is that who can use few groups
does not get more of these. A job has one account: its turns count all that it has had, and only
its submitter's other jobs are measured by them.

Who is next. A worker that has room waits in its group's list; groups that have such workers and
something in their heap stand in a ring. assign() takes the ring's first group and that group's
first worker, fills the worker, and puts both at the end again if there is more to do. A group
without work leaves the ring with all its workers still in its list: waking it costs one step,
however many workers wait. A worker leaves the list when it has no room for what is next: all its
slots are taken, or it is *blocked*, as nothing that is ready fits. It comes back when something
leaves it and its slot or amounts are free again, or a quarter of its credit is; a blocked one also
when a lane of its group that was empty is not, or one that was not first is. Such a lane knows when
it was empty last, so only those that looked since need to look again. Hence a worker with a free
slot waits or is blocked, and a group with a waiting worker and with work is always in the ring:
nobody is forgotten.

What fits. A class has alternatives, in order of liking; each is a need, amounts of resources. A
worker reserves a slot and the amounts for what it is given, the first alternative that fits. Beyond
that it takes tasks only on credit (below); those wait at the worker, which starts tasks in order
and each when its amounts are free, for what is reserved for their like. So what may run together by
what is reserved never exceeds a worker's slots and amounts. What a worker cannot take it looks
past: a lane at once, since all in it need the same, and at most sixteen, so that a look is bounded.
So that nothing starves, a worker *saves* for the first lane it looks past: its need is taken from
what is free, and only what fits beside it is given out, nothing on credit. A worker that holds the
like of it need not save: what that leaves is enough. Not more workers save for a line than it has
ready tasks; when it has fewer, one of them looks again. A saving ends when its worker looks again.
A worker that leaves at a set time looks past jobs that are too long for it, and any worker past
jobs that are kept for others (prefer), and is `pressed` if only such are left; it looks again when
a job becomes ready, or is kept for fewer.

How much. A worker takes anything that fits. Beyond that it takes tasks that are known to be short,
while what it holds of their like counts for less than `credit_seconds` for each that is reserved
for; with one cpu a task and a slot, that is each of its slots. A held task
counts with its cost, but never with more than `credit_seconds`, which is also what an unknown cost
counts as: a long task fills one slot's credit and leaves that of the others. Of a job that is given
ahead (set_ahead) it takes one task beyond each that is reserved for, whatever the cost: so its
bytes come while the one before runs. One call of assign()
gives the worker its share at most: the group's ready tasks, of all its classes, divided by its
workers; its free slots if they are more; and of tasks so short that a message costs more than the
work in it, as many as make up a hundredth of a slot's credit. So a short queue is spread over
everybody, unless that would cost more than it gains.
For this a group counts the ready tasks of its lines, again without a walk for each change: a line
that is in many groups shows them a number that may lag behind. It never shows more than it
has, so nobody gets more than a share; fewer than sixteen groups are shown the exact number; and
each time they are shown another one, a sixteenth as many tasks as there are groups came or went.

Whose attempt. Each time a task is given out its attempt counts up, and only the holder of the
newest attempt is listened to: everything else is stale. A record may have one of three marks.
`suspect`: its holder, lost from sight, may be running it. `lost`: it was blamed for the loss of its
last holder, which is taken back if that worker comes with the attempt again (adopt). `restored`: it
was on disk when the server started and was not given out since, so an attempt above the known one
may be out there. The mark goes when the task is given to a worker or taken from it.

Whole or not at all. A door checks all it was given, and reserves memory, before it changes
anything; what follows cannot fail. The methods marked `check=False` are such leaves: what they
index with are record numbers from the table itself.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections import namedtuple

import cython

QUEUED = 1
DELAYED = 2
ASSIGNED = 3
RUNNING = 4

STALE = 0
RETRY = 1
FAILED = 2

# The same states as C integers, and two more that only the table knows: a record that holds no
# task, and a queued task that waits among the returned ones instead of in its job's list.
_free = cython.declare(cython.int, 0)
_queued = cython.declare(cython.int, 1)
_delayed = cython.declare(cython.int, 2)
_assigned = cython.declare(cython.int, 3)
_running = cython.declare(cython.int, 4)
_returned = cython.declare(cython.int, 5)

# The marks of a record.
_lost = cython.declare(cython.int, 1)
_restored = cython.declare(cython.int, 2)
_suspect = cython.declare(cython.int, 4)

_RECORD = 64  # bytes of a task's record: a cache line
_PIECE = 4096  # records (256 KiB) by which a table is lengthened at a time
_TABLE_KEPT = 65536  # records (4 MiB) that an empty table keeps
_TASKS_MOST = 2**31 - 2  # records are numbered with C ints
_JOB_MOST = 2**31 - 1
_NUMBER_MOST = 2**32 - 2  # a task's key is job << 32 | number, a positive 63-bit integer
_PRIORITY_MOST = 1_000_000
_RETRIES_MOST = 255  # failures are a byte of the record, as are the crashes
_CRASHES_MOST = 255
_SLOTS_MOST = 1_000_000
_ATTEMPT_MOST = 2**31 - 1
_ATTEMPT_START = 2**30  # of a restored or adopted task: leaves room for a billion assignments
_COST_MOST = 1e9  # seconds
_CPU = 10_000  # amounts of cpus are in 1/10,000
_RESOURCE_MOST = 255  # resources are numbered from 0, the cpus
_AMOUNT_MOST = 2**62
_ALTERNATIVES_MOST = 16
_SUBMITTER_MOST = 2**31 - 1
_WEIGHT_MOST = 1e6
_WEIGHT_LEAST = 1e-6
_PASSES_MOST = 16  # of what a worker cannot take, looked past before it looks no further

_batch_most = cython.declare(cython.longlong, 4096)  # tasks of a call: more make none cheaper
_worth_credit = cython.declare(cython.double, 0.01)  # of a slot's credit that is worth a message
_work_least = cython.declare(cython.double, 1e-5)  # seconds that a task is charged at the least
_never = cython.declare(cython.longlong, 2**63 - 1)  # an age after every age
_lowest = cython.declare(cython.int, -(2**31))  # a priority below every priority
_number_bits = cython.declare(cython.longlong, 0xFFFFFFFF)
_golden = cython.declare(cython.ulonglong, 0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd
_all_bits = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)

Statistics = namedtuple(  # noqa: PYI024 - the stub has the types
    "Statistics",
    "queued delayed assigned running workers classes groups jobs capacity slots",
    module="dc._core",
)


@cython.cfunc
def _within(value: object, low: object, high: object, what: str) -> object:
    """Return the integer, or raise the caller's error."""
    number = operator.index(value)
    if not low <= number <= high:
        raise ValueError(f"{what} must be from {low} to {high}, not {number}")
    return number


@cython.cfunc
def _peers(value: object, high: cython.longlong) -> cython.longlong:
    """Return an integer that came from a peer, or -1 if it is none that can name anything."""
    number = operator.index(value)
    return number if 0 <= number <= high else -1


@cython.cfunc
def _seconds(value: object, what: str) -> cython.double:
    """Return a time, or raise the caller's error if it is not a number."""
    seconds: cython.double = value
    if math.isnan(seconds):
        raise ValueError(f"{what} must be a number of seconds, not {seconds}")
    return seconds


@cython.cfunc
def _weight(value: object) -> cython.double:
    """Return a weight in the sharing, or raise the caller's error."""
    weight: cython.double = value
    if not _WEIGHT_LEAST <= weight <= _WEIGHT_MOST:
        raise ValueError(f"a weight must be from {_WEIGHT_LEAST} to {_WEIGHT_MOST}, not {weight}")
    return weight


@cython.cfunc
def _amounts(given: object) -> dict:
    """Return amounts of resources, or raise the caller's error."""
    found: dict = {}
    for resource, amount in dict(given).items():
        number = _within(resource, 0, _RESOURCE_MOST, "a resource")
        found[number] = _within(amount, 0, _AMOUNT_MOST, "an amount")
    return found


@cython.cfunc
def _free_place(table: list, free: list) -> cython.Py_ssize_t:
    """Return a place for one more thing in a table of objects."""
    if free:
        return free.pop()
    table.append(None)
    return len(table) - 1


# --- ranked things in heaps -----------------------------------------------------------------------


@cython.cclass
class _Ranked:
    """What stands in a heap: higher priority first, then the lower turn, then the lower age.

    `position` is its place in the heap that it belongs to, -1 when it is in none.
    """

    priority: cython.int
    turn: cython.double
    age: cython.longlong
    position: cython.Py_ssize_t


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _before(one: _Ranked, two: _Ranked) -> cython.bint:
    if one.priority != two.priority:
        return one.priority > two.priority
    return one.turn < two.turn or (one.turn == two.turn and one.age < two.age)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _same(one: _Ranked, two: _Ranked) -> cython.bint:
    return one.age == two.age and one.turn == two.turn and one.priority == two.priority


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _rank_as(item: _Ranked, other: _Ranked) -> cython.void:
    item.priority = other.priority
    item.turn = other.turn
    item.age = other.age


@cython.cfunc
def _rise(heap: list, item: _Ranked, place: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Move the item, which has no place yet, from the hole at `place` up to where it belongs."""
    while place > 0:
        parent: cython.Py_ssize_t = (place - 1) >> 1
        above: _Ranked = heap[parent]
        if not _before(item, above):
            break
        heap[place] = above
        above.position = place
        place = parent
    heap[place] = item
    item.position = place
    return place


@cython.cfunc
def _sink(heap: list, item: _Ranked, place: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Move the item, which has no place yet, from the hole at `place` down to where it belongs."""
    size: cython.Py_ssize_t = len(heap)
    child: cython.Py_ssize_t = 2 * place + 1
    while child < size:
        below: _Ranked = heap[child]
        if child + 1 < size:
            other: _Ranked = heap[child + 1]
            if _before(other, below):
                below = other
                child += 1
        if not _before(below, item):
            break
        heap[place] = below
        below.position = place
        place = child
        child = 2 * place + 1
    heap[place] = item
    item.position = place
    return place


@cython.cfunc
def _put(heap: list, item: _Ranked) -> cython.Py_ssize_t:
    heap.append(item)
    return _rise(heap, item, len(heap) - 1)


@cython.cfunc
def _settle(heap: list, item: _Ranked) -> cython.Py_ssize_t:
    """Move an item whose rank has changed to where it belongs now."""
    place: cython.Py_ssize_t = _rise(heap, item, item.position)
    return _sink(heap, item, place)


@cython.cfunc
def _take_out(heap: list, item: _Ranked) -> cython.Py_ssize_t:
    hole: cython.Py_ssize_t = item.position
    last: _Ranked = heap.pop()
    item.position = -1
    if last is item:
        return 0
    last.position = hole
    return _settle(heap, last)


# --- what work is charged to ----------------------------------------------------------------------


@cython.cclass
class _Account(_Ranked):
    """Something that shares with others: its `turn` is the work that it was given, by weight.

    The turn counts in quanta and only grows. It is moved when a whole quantum was given, so that
    tasks go out in batches.
    """

    part: cython.double  # seconds given since the turn was moved
    owed: cython.double  # seconds that were given, came back, and are given again for nothing


@cython.cfunc
@cython.exceptval(check=False)
def _charge(
    account: _Account,
    work: cython.double,
    quantum: cython.double,
    weight: cython.double,
    clock: cython.double,
) -> cython.void:
    """Charge seconds of work. Whoever was idle starts at the clock of those that were not."""
    if account.turn < clock:
        account.turn = clock
    paid: cython.double = min(account.owed, work)
    account.owed -= paid
    account.part += work - paid
    if account.part >= quantum:
        account.turn += account.part / (quantum * weight)
        account.part = 0.0


@cython.cfunc
@cython.exceptval(check=False)
def _tasks_left(account: _Account, work: cython.double, quantum: cython.double) -> cython.longlong:
    """Return how many tasks of so much work are left of the account's quantum, at least 1."""
    left: cython.double = (quantum - account.part + account.owed) / work
    return 1 if left <= 1.0 else cython.cast(cython.longlong, math.ceil(min(left, 1e9)))


# --- the small tables: one object for each job, class, membership, group, worker ------------------


@cython.final
@cython.cclass
class _Job(_Account):
    """A job. It ranks by its priority, its turn and the age of its oldest queued task."""

    number: cython.longlong
    index: cython.int  # in the table of jobs
    kind: cython.int  # its requirement class
    line: cython.int  # that class, of the job's submitter
    retries: cython.int
    crashes: cython.int  # of one task, after which it fails
    cost: cython.double  # seconds, exactly a float32; negative: not known
    end: cython.longlong  # above the highest number so far
    stamp: cython.longlong  # in the age of the tasks that came last, or -1
    held_back: cython.bint  # being cancelled: nothing of it is handed out
    on_hold: cython.bint  # nor while an operator wants it so
    weight: cython.double  # of the job among those of its submitter
    first: cython.int  # its queue: a list in order of age
    last: cython.int
    root: cython.int  # its returned tasks: a pairing heap by age
    tasks_first: cython.int  # all its tasks, in order of submission
    tasks_last: cython.int
    queued: cython.longlong
    delayed: cython.longlong
    assigned: cython.longlong
    running: cython.longlong
    counted: cython.longlong  # of its queued tasks, in the `ready` of its line
    keen: object  # the workers that it is kept for, a set, or None
    ahead: cython.bint  # one task more for each slot is handed out, whatever it costs

    def __init__(
        self, number: cython.longlong, index: cython.int, kind: cython.int, priority: cython.int
    ) -> None:
        self.priority = priority
        self.turn = self.part = self.owed = 0.0
        self.age = _never
        self.position = -1
        self.number = number
        self.index = index
        self.kind = kind
        self.line = -1
        self.retries = self.crashes = 0
        self.cost = -1.0
        self.end = 0
        self.stamp = -1
        self.held_back = self.on_hold = False
        self.weight = 1.0
        self.first = self.last = self.root = -1
        self.tasks_first = self.tasks_last = -1
        self.queued = self.delayed = self.assigned = self.running = self.counted = 0
        self.keen = None
        self.ahead = False


@cython.final
@cython.cclass
class _Need:
    """What a task takes of a worker's resources while it runs: amounts above 0.

    The cpus stand apart, here and in a worker: for most tasks nothing else is looked at.
    """

    key: tuple  # all of it, by which it is found
    users: cython.Py_ssize_t  # alternatives of classes
    cpus: cython.longlong
    size: cython.Py_ssize_t
    resources: cython.longlong[::1]
    amounts: cython.longlong[::1]

    def __init__(self, amounts: dict) -> None:
        self.key = tuple(amounts.items())
        self.users = 0
        self.cpus = amounts.get(0, 0)
        others = {resource: amount for resource, amount in amounts.items() if resource}
        self.size = len(others)
        self.resources = array("q", others)
        self.amounts = array("q", others.values())


@cython.final
@cython.cclass
class _Submitter:
    """Whose jobs these are."""

    number: cython.longlong
    weight: cython.double
    lines: cython.longlong  # that are its own

    def __init__(self, number: cython.longlong) -> None:
        self.number = number
        self.weight = 1.0
        self.lines = 0


@cython.final
@cython.cclass
class _Class:
    """A requirement class: what its tasks need, and where they can run."""

    needs: tuple  # the alternatives, in order of liking
    groups: list  # of workers that can run it
    lines: dict  # by the submitter; none if no job has it

    def __init__(self, needs: tuple) -> None:
        self.needs = needs
        self.groups = []
        self.lines = {}


@cython.final
@cython.cclass
class _Line(_Ranked):
    """The jobs of one class and one submitter: a heap of those that have ready tasks.

    It ranks as the first of them, with the priority `_lowest` if there is none.
    """

    kind: cython.int
    owner: _Submitter
    jobs: cython.longlong  # all, also those that have nothing ready
    heap: list
    ready: cython.longlong  # tasks that may be handed out
    shown: cython.longlong  # so many of them its groups count
    told: _Ranked  # members that are not behind rank as high as this, or higher
    members: list
    behind: list
    savers: set  # workers that keep something free for one of its tasks

    def __init__(self, kind: cython.int, owner: _Submitter) -> None:
        self.kind = kind
        self.owner = owner
        self.jobs = 0
        self.heap = []
        self.ready = self.shown = 0
        self.priority = _lowest
        self.turn = 0.0
        self.age = _never
        self.position = -1
        self.told = _Ranked()
        self.told.priority = _PRIORITY_MOST + 1
        self.told.turn = 0.0
        self.told.age = -1
        self.members = []
        self.behind = []
        self.savers = set()


@cython.final
@cython.cclass
class _Member(_Ranked):
    """A line as one group sees it. In its lane's heap it ranks as it was told last."""

    line: cython.int
    lane: cython.int
    behind: cython.bint  # in the line's list of memberships to be told

    def __init__(self, line: cython.int, lane: cython.int) -> None:
        self.priority = _lowest
        self.turn = 0.0
        self.age = _never
        self.position = -1
        self.line = line
        self.lane = lane
        self.behind = False


@cython.final
@cython.cclass
class _Lane(_Ranked):
    """Lines of one submitter that need the same of a group's workers: a heap of memberships.

    It ranks as the first of them. What one of them cannot take for lack of amounts, none can.
    """

    index: cython.int
    party: cython.int
    needs: tuple  # in order of liking
    liked: tuple  # the places of these needs among the alternatives of the classes
    heap: list
    members: cython.longlong  # all, also those that are not in the heap
    gone: cython.longlong  # at which look into the group it was empty last, -1 before all

    def __init__(self, index: cython.int, party: cython.int, needs: tuple, liked: tuple) -> None:
        self.priority = _lowest
        self.turn = 0.0
        self.age = _never
        self.position = -1
        self.index = index
        self.party = party
        self.needs = needs
        self.liked = liked
        self.heap = []
        self.members = 0
        self.gone = -1


@cython.final
@cython.cclass
class _Party(_Account):
    """A submitter as one group sees it: a heap of lanes, and an account of what the group gave it.

    It ranks by the priority of its first lane, by its own turn, and by the submitter's number: not
    by the age of what is first there, as a line's first may get older while the line's rank falls.
    """

    index: cython.int
    group: cython.int
    owner: _Submitter
    heap: list
    lanes: dict  # all, by needs and liking
    clock: cython.double  # the highest turn at which one of its jobs was given something here

    def __init__(self, index: cython.int, group: cython.int, owner: _Submitter) -> None:
        self.priority = _lowest
        self.turn = self.part = self.owed = self.clock = 0.0
        self.age = owner.number
        self.position = -1
        self.index = index
        self.group = group
        self.owner = owner
        self.heap = []
        self.lanes = {}


@cython.final
@cython.cclass
class _Group:
    """Workers of equal abilities: a heap of parties, and the workers with room in turn."""

    heap: list
    kinds: dict  # its classes, each with the alternatives that its workers can run
    parties: dict  # by the submitter
    clock: cython.double  # the highest turn at which one of its parties was given something
    ready: cython.longlong  # the sum of what its lines show
    crowd: cython.longlong  # workers
    bearing: cython.longlong  # those that have slots
    first: cython.int  # workers with room
    last: cython.int
    blocked_first: cython.int  # workers with room for nothing that is ready
    blocked_last: cython.int
    looks: cython.longlong  # how often one of its workers looked for work
    listed: cython.bint  # in the ring of groups
    next: cython.int

    def __init__(self) -> None:
        self.heap = []
        self.kinds = {}
        self.parties = {}
        self.clock = 0.0
        self.ready = self.crowd = self.bearing = self.looks = 0
        self.first = self.last = self.next = -1
        self.blocked_first = self.blocked_last = -1
        self.listed = False


@cython.final
@cython.cclass
class _Holding:
    """What a worker holds of one need."""

    need: cython.int
    held: cython.longlong
    reserved: cython.longlong  # so many of them have a slot and their amounts for sure
    seconds: cython.double  # what the held ones count against the credit

    def __init__(self, need: cython.int) -> None:
        self.need = need
        self.held = self.reserved = 0
        self.seconds = 0.0


@cython.final
@cython.cclass
class _Worker:
    """A worker and what it holds."""

    index: cython.int
    group: cython.int
    slots: cython.longlong
    held: cython.longlong
    reserved: cython.longlong  # slots that are taken
    seconds: cython.double  # what the held tasks count against its credit
    main: _Holding  # what it holds of one need; it may be nothing
    others: list  # what it holds of other needs, if it does
    total_cpus: cython.longlong
    free_cpus: cython.longlong
    plain: cython.bint  # it has a cpu for each slot
    longest: cython.double  # seconds of the longest task that it may get; negative: any
    saving: cython.int  # the line for whose task it keeps something free, or -1
    saved: cython.int  # the need of that task
    freed: cython.bint  # what was reserved is free again, since it looked for work last
    pressed: cython.bint  # in the set of those that found only what is not for them
    first: cython.int  # held tasks, in order of assignment
    last: cython.int
    waiting: cython.bint  # in its group's list of workers with room
    blocked: cython.bint  # in its group's list of workers for whom nothing is
    looked: cython.longlong  # the number of its last look
    next: cython.int
    prev: cython.int
    total: list  # of each resource; cpus are not here
    free: list  # what is neither reserved nor saved; below 0 if it was made less

    def __init__(self, index: cython.int, group: cython.int) -> None:
        self.index = index
        self.group = group
        self.slots = self.held = self.reserved = self.looked = 0
        self.seconds = 0.0
        self.main = _Holding(0)
        self.others = []
        self.total_cpus = self.free_cpus = 0
        self.total = [0]
        self.free = [0]
        self.longest = -1.0
        self.saving = self.saved = -1
        self.first = self.last = self.next = self.prev = -1
        self.waiting = self.blocked = self.freed = self.pressed = False
        self.plain = True


@cython.cfunc
@cython.inline
def _is_not_for(worker: _Worker, job: _Job) -> cython.bint:
    """Tell whether a job is too long for a worker, or kept for others."""
    if worker.longest >= 0.0 and job.cost > worker.longest:
        return True
    return job.keen is not None and worker.index not in job.keen


@cython.final
@cython.cclass
class Scheduler:
    """Decides which worker gets which task. It knows numbers only, and the time it is told.

    Args:
        credit_seconds: estimated work for each slot that a worker may hold (above 0); a task that
            is longer, or not known, fills the credit of one slot and no more.
        credit_tasks: tasks beyond its slots up to which a worker may hold short ones (1 or more).

    A caller's mistake raises KeyError (a job, worker, class or group that is not there) or
    ValueError (a number out of its range), and changes nothing. Stale or absurd answers of peers
    are return values.
    """

    _credit_seconds: cython.double
    _credit_tasks: cython.longlong
    # The task table: one array of records of 64 bytes, and for each field a strided view of it.
    _table: object
    _capacity: cython.Py_ssize_t
    _used: cython.Py_ssize_t  # records below have held a task
    _free_first: cython.int
    _tasks: cython.Py_ssize_t
    _key: cython.longlong[:]
    _age: cython.longlong[:]
    _next: cython.int[:]
    _prev: cython.int[:]
    _child: cython.int[:]
    _job_next: cython.int[:]
    _job_prev: cython.int[:]
    _chain: cython.int[:]
    _job: cython.int[:]
    _worker: cython.int[:]
    _attempt: cython.int[:]
    _timer: cython.int[:]
    _cost: cython.float[:]
    _state: cython.uchar[:]
    _crashes: cython.uchar[:]
    _failures: cython.uchar[:]  # tries used up of the job's retries
    _marks: cython.uchar[:]
    # Key to record: heads of chains.
    _index: cython.int[::1]
    _index_bits: cython.int
    # Timers: a heap.
    _times: cython.double[::1]
    _timed: cython.int[::1]
    _timers: cython.Py_ssize_t
    # What a door was given, checked, before anything is changed.
    _given: cython.longlong[::1]
    _given_attempts: cython.longlong[::1]
    _given_crashes: cython.longlong[::1]
    _given_failures: cython.longlong[::1]
    _found: cython.int[::1]  # the records of the given tasks, or -1
    _clock: cython.longlong  # the newest stamp
    _counts: cython.longlong[::1]  # tasks by state
    _slots: cython.longlong
    _by_number: dict
    _submitters: dict  # those that have lines, or another weight than 1
    _needs: list
    _free_needs: list
    _need_numbers: dict
    _lines: list
    _free_lines: list
    _lanes: list
    _free_lanes: list
    _parties: list
    _free_parties: list
    _pressed: set  # workers that are blocked by jobs that are too long for them, or kept for others
    _leading: cython.longlong  # jobs that are given ahead
    _quiet: cython.bint  # what is put back is no news
    _width: cython.Py_ssize_t  # above the highest resource that any need has
    _jobs: list
    _free_jobs: list
    _classes: list
    _free_classes: list
    _groups: list
    _free_groups: list
    _workers: list
    _free_workers: list
    _ring_first: cython.int
    _ring_last: cython.int

    def __init__(self, *, credit_seconds: float = 0.1, credit_tasks: int = 2048) -> None:
        self._credit_tasks = _within(credit_tasks, 1, _TASKS_MOST, "credit_tasks")
        # Exactly a float32, as are the costs: so sums of them are exact, and full is full.
        self._credit_seconds = array("f", [_seconds(credit_seconds, "credit_seconds")])[0]
        if not 0.0 < self._credit_seconds <= _COST_MOST:
            raise ValueError(f"credit_seconds must be above 0, not {credit_seconds}")
        self._capacity = self._used = self._tasks = self._timers = 0
        self._free_first = self._ring_first = self._ring_last = -1
        self._table = array("q")
        self._bind()
        self._index_bits = 4
        self._index = array("i", bytes(4 << (4 + self._index_bits)))
        self._times = array("d", [0.0])
        self._timed = array("i", [0])
        self._given = array("q")
        self._given_attempts = array("q")
        self._given_crashes = array("q")
        self._given_failures = array("q")
        self._found = array("i")
        self._clock = 0
        self._counts = array("q", [0] * 6)
        self._slots = 0
        self._by_number = {}
        self._submitters = {}
        self._needs = []
        self._free_needs = []
        self._need_numbers = {}
        self._lines = []
        self._free_lines = []
        self._lanes = []
        self._free_lanes = []
        self._parties = []
        self._free_parties = []
        self._pressed = set()
        self._leading = 0
        self._quiet = False
        self._width = 1
        self._jobs = []
        self._free_jobs = []
        self._classes = []
        self._free_classes = []
        self._groups = []
        self._free_groups = []
        self._workers = []
        self._free_workers = []

    # --- the task table ---------------------------------------------------------------------------

    @cython.cfunc
    def _bind(self) -> cython.void:
        """Lay the views over the table."""
        raw = memoryview(self._table).cast("B")
        longs = raw.cast("q")
        ints = raw.cast("i")
        self._key = longs[0::8]
        self._age = longs[1::8]
        self._next = ints[4::16]
        self._prev = ints[5::16]
        self._child = ints[6::16]
        self._job_next = ints[7::16]
        self._job_prev = ints[8::16]
        self._chain = ints[9::16]
        self._job = ints[10::16]
        self._worker = ints[11::16]
        self._attempt = ints[12::16]
        self._timer = ints[13::16]
        self._cost = raw.cast("f")[14::16]
        self._state = raw[60::64]
        self._crashes = raw[61::64]
        self._failures = raw[62::64]
        self._marks = raw[63::64]

    @cython.cfunc
    def _unbind(self) -> cython.void:
        """Let go of the table: an array that somebody views cannot grow."""
        self._key = self._age = None
        self._next = self._prev = self._child = None
        self._job_next = self._job_prev = self._chain = None
        self._job = self._worker = self._attempt = self._timer = None
        self._cost = None
        self._state = self._crashes = self._failures = self._marks = None

    @cython.cfunc
    def _reserve(self, count: cython.longlong) -> cython.void:
        """Make room for so many more tasks. The table grows in place by an eighth or more."""
        if self._tasks == 0 and self._used > 0:
            self._start_again(count)
        wanted: cython.Py_ssize_t = self._tasks + count
        if wanted > _TASKS_MOST:
            raise ValueError(f"the scheduler cannot hold more than {_TASKS_MOST} tasks")
        if wanted > self._capacity:
            extra: cython.Py_ssize_t = max(
                wanted - self._capacity, min(self._capacity >> 3, _TASKS_MOST - self._capacity), 64
            )
            self._unbind()
            try:
                self._lengthen(extra)
                self._capacity += extra
            finally:
                self._bind()
        if wanted > len(self._index):
            self._index_again(wanted)

    @cython.cfunc
    def _lengthen(self, extra: cython.Py_ssize_t) -> cython.void:
        """Put so many empty records behind the table, in pieces that a cache holds."""
        piece = bytes(min(extra, _PIECE) * _RECORD)
        while extra >= _PIECE:
            self._table.frombytes(piece)
            extra -= _PIECE
        self._table.frombytes(piece[: extra * _RECORD])

    @cython.cfunc
    def _start_again(self, count: cython.longlong) -> cython.void:
        """Use an empty table from its start again, in order; give back memory of a peak."""
        self._free_first = -1
        self._used = 0
        if self._capacity > _TABLE_KEPT + 8 * count:
            self._unbind()
            self._table = array("q")
            self._capacity = 0
            self._bind()
            self._index_bits = 4
            self._index = array("i", bytes(4 << 8))

    @cython.cfunc
    def _index_again(self, wanted: cython.Py_ssize_t) -> cython.void:
        """Make a longer index, at most one task to a chain on average."""
        bits: cython.int = self._index_bits
        while wanted > (16 << bits):
            bits += 1
        self._index = array("i", bytes(4 << (4 + bits)))
        self._index_bits = bits
        slot: cython.int
        for slot in range(self._used):
            if self._state[slot] != _free:
                place: cython.Py_ssize_t = self._place(self._key[slot])
                self._chain[slot] = self._index[place] - 1
                self._index[place] = slot + 1

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _place(self, key: cython.longlong) -> cython.Py_ssize_t:
        """Return the key's place in the index.

        Sixteen tasks with neighbouring numbers lie together, in one cache line, in an order that
        is mixed so that numbers with a pattern do not all meet at the same places.
        """
        block: cython.ulonglong = key >> 4
        block = block * _golden & _all_bits
        lane: cython.Py_ssize_t = (key ^ (block >> 20)) & 15
        return ((block >> (64 - self._index_bits)) << 4) | lane

    @cython.cfunc
    @cython.exceptval(check=False)
    def _find(self, key: cython.longlong) -> cython.int:
        """Return the record of a task, or -1."""
        slot: cython.int = self._index[self._place(key)] - 1
        while slot >= 0 and self._key[slot] != key:
            slot = self._chain[slot]
        return slot

    @cython.cfunc
    @cython.exceptval(check=False)
    def _find_given(self, base: cython.longlong, size: cython.Py_ssize_t) -> cython.void:
        """Find the records of the given tasks of a job, whose keys begin with `base`.

        Most of the time goes to waiting for memory. In each of these loops no step depends on the
        one before, so the processor waits for several at once.
        """
        i: cython.Py_ssize_t
        slot: cython.int
        for i in range(size):
            self._found[i] = self._index[self._place(base | self._given[i])] - 1
        for i in range(size):
            slot = self._found[i]
            while slot >= 0 and self._key[slot] != base | self._given[i]:
                slot = self._chain[slot]
            self._found[i] = slot

    @cython.cfunc
    @cython.exceptval(check=False)
    def _stamp(self, job: _Job, late: cython.bint) -> cython.void:
        """Give the job the stamp of its next tasks. In a row without other jobs it stays the same;
        after two thousand million changes it does in any case."""
        if job.stamp < 0 or (not late and job.stamp < self._clock):
            if self._clock < _JOB_MOST:
                self._clock += 1
            job.stamp = self._clock

    @cython.cfunc
    def _new(
        self, job: _Job, number: cython.longlong, attempt: cython.int, crashes: cython.int
    ) -> cython.int:
        """Make a record for a task, not yet in any queue. Room is reserved already."""
        slot: cython.int = self._free_first
        if slot >= 0:
            self._free_first = self._next[slot]
        else:
            slot = cython.cast(cython.int, self._used)
            self._used += 1
        self._tasks += 1
        key: cython.longlong = (job.number << 32) | number
        self._key[slot] = key
        self._age[slot] = (job.stamp << 32) | number
        self._attempt[slot] = attempt
        self._crashes[slot] = crashes
        self._failures[slot] = self._marks[slot] = 0
        self._job[slot] = job.index
        self._worker[slot] = self._timer[slot] = -1
        self._job_next[slot] = -1
        self._job_prev[slot] = job.tasks_last
        if job.tasks_last >= 0:
            self._job_next[job.tasks_last] = slot
        else:
            job.tasks_first = slot
        job.tasks_last = slot
        place: cython.Py_ssize_t = self._place(key)
        self._chain[slot] = self._index[place] - 1
        self._index[place] = slot + 1
        return slot

    @cython.cfunc
    @cython.exceptval(check=False)
    def _forget(self, job: _Job, slot: cython.int) -> cython.void:
        """Free the record of a task that is in no queue, on no worker, and has no timer."""
        after: cython.int = self._job_next[slot]
        ahead: cython.int = self._job_prev[slot]
        if ahead >= 0:
            self._job_next[ahead] = after
        else:
            job.tasks_first = after
        if after >= 0:
            self._job_prev[after] = ahead
        else:
            job.tasks_last = ahead
        place: cython.Py_ssize_t = self._place(self._key[slot])
        other: cython.int = self._index[place] - 1
        if other == slot:
            self._index[place] = self._chain[slot] + 1
        else:
            while self._chain[other] != slot:
                other = self._chain[other]
            self._chain[other] = self._chain[slot]
        self._state[slot] = _free
        self._next[slot] = self._free_first
        self._free_first = slot
        self._tasks -= 1

    @cython.cfunc
    @cython.exceptval(check=False)
    def _count(self, job: _Job, state: cython.int, step: cython.int) -> cython.void:
        """Count a task of the job in or out of a state."""
        self._counts[state] += step
        if state == _queued:
            job.queued += step
        elif state == _delayed:
            job.delayed += step
        elif state == _assigned:
            job.assigned += step
        else:
            job.running += step

    # --- a job's queue ----------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(check=False)
    def _enqueue(self, job: _Job, slot: cython.int) -> cython.void:
        """Queue a task by its age. The caller ends with `_requeued`."""
        self._count(job, _queued, 1)
        self._next[slot] = -1
        self._prev[slot] = job.last
        if job.last < 0:
            job.first = job.last = slot
            self._state[slot] = _queued
        elif self._age[job.last] < self._age[slot]:
            self._next[job.last] = slot
            job.last = slot
            self._state[slot] = _queued
        else:
            self._prev[slot] = self._child[slot] = -1
            self._state[slot] = _returned
            job.root = self._meld(job.root, slot)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _dequeue(self, job: _Job, slot: cython.int) -> cython.void:
        """Take a task out of its job's queue. The caller ends with `_requeued`."""
        self._count(job, _queued, -1)
        after: cython.int = self._next[slot]
        ahead: cython.int = self._prev[slot]
        if self._state[slot] == _queued:
            if ahead >= 0:
                self._next[ahead] = after
            else:
                job.first = after
            if after >= 0:
                self._prev[after] = ahead
            else:
                job.last = ahead
            return
        rest: cython.int = self._melded(self._child[slot])
        if slot == job.root:
            job.root = rest
            return
        if self._child[ahead] == slot:
            self._child[ahead] = after
        else:
            self._next[ahead] = after
        if after >= 0:
            self._prev[after] = ahead
        job.root = self._meld(job.root, rest)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _meld(self, one: cython.int, two: cython.int) -> cython.int:
        """Join two pairing heaps, given by their roots (-1 for none), and return the root."""
        if one < 0 or two < 0:
            return two if one < 0 else one
        if self._age[two] < self._age[one]:
            one, two = two, one
        child: cython.int = self._child[one]
        self._next[two] = child
        self._prev[two] = one
        if child >= 0:
            self._prev[child] = two
        self._child[one] = two
        return one

    @cython.cfunc
    @cython.exceptval(check=False)
    def _melded(self, first: cython.int) -> cython.int:
        """Join siblings into one heap and return its root: in pairs forth, then all back."""
        pairs: cython.int = -1
        while first >= 0:
            one: cython.int = first
            two: cython.int = self._next[one]
            first = -1 if two < 0 else self._next[two]
            self._next[one] = self._prev[one] = -1
            if two >= 0:
                self._next[two] = self._prev[two] = -1
                one = self._meld(one, two)
            self._next[one] = pairs
            pairs = one
        root: cython.int = -1
        while pairs >= 0:
            one = pairs
            pairs = self._next[one]
            self._next[one] = -1
            root = self._meld(root, one)
        return root

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _oldest(self, job: _Job) -> cython.int:
        """Return the oldest queued task of a job, or -1."""
        slot: cython.int = job.first
        if job.root >= 0 and (slot < 0 or self._age[job.root] < self._age[slot]):
            return job.root
        return slot

    # --- from the job up to the groups ------------------------------------------------------------

    @cython.cfunc
    def _requeued(self, job: _Job) -> cython.void:
        """Rank a job anew among those of its line, after its queue or its turn has changed."""
        line: _Line = self._lines[job.line]
        kept: cython.bint = job.held_back or job.on_hold
        oldest: cython.int = -1 if kept else self._oldest(job)
        ready: cython.longlong = 0 if kept else job.queued
        if ready != job.counted:
            line.ready += ready - job.counted
            job.counted = ready
            self._show(line)
            if line.savers:
                self._release_savers(line)
        if oldest < 0:
            if job.position >= 0:
                _take_out(line.heap, job)
        else:
            job.age = self._age[oldest]
            if job.position >= 0:
                _settle(line.heap, job)
            else:
                _put(line.heap, job)
                if self._pressed:
                    self._release_pressed(job)
        self._reranked(line)

    @cython.cfunc
    def _show(self, line: _Line) -> cython.void:
        """Show the groups of a line how much is ready, if what they count is too far off."""
        slack: cython.longlong = len(line.members) >> 4
        if line.shown <= line.ready <= line.shown + 2 * slack:
            return
        change: cython.longlong = max(line.ready - slack, 0) - line.shown
        line.shown += change
        for item in line.members:
            member: _Member = item
            group: _Group = self._groups[self._group_number(member)]
            group.ready += change

    @cython.cfunc
    @cython.inline
    def _group_number(self, member: _Member) -> cython.int:
        lane: _Lane = self._lanes[member.lane]
        party: _Party = self._parties[lane.party]
        return party.group

    @cython.cfunc
    def _reranked(self, line: _Line) -> cython.void:
        """Note the rank of a line; tell its groups if it has become higher."""
        if not line.heap:
            line.priority = _lowest
            line.turn = 0.0
            line.age = _never
            return
        first: _Ranked = line.heap[0]
        higher: cython.bint = _before(first, line)
        _rank_as(line, first)
        if higher:
            self._tell(line)

    @cython.cfunc
    def _tell(self, line: _Line) -> cython.void:
        """Tell the groups of a line its rank; those that were told a higher one need not know."""
        everyone: cython.bint = _before(line, line.told)
        for member in line.members if everyone else line.behind:
            self._tell_one(line, member)
        line.behind.clear()
        _rank_as(line.told, line)

    @cython.cfunc
    def _tell_one(self, line: _Line, member: _Member) -> cython.void:
        member.behind = False
        absent: cython.bint = member.position < 0
        if not absent and not _before(line, member):
            return
        lane: _Lane = self._lanes[member.lane]
        party: _Party = self._parties[lane.party]
        group: _Group = self._groups[party.group]
        fresh: cython.bint = not lane.heap
        _rank_as(member, line)
        if absent:
            _put(lane.heap, member)
        else:
            _settle(lane.heap, member)
        self._lane_changed(group, party, lane)
        if not self._quiet:
            if fresh:
                self._unblock(party.group, lane.gone)
            elif not absent and group.heap[0] is party and party.heap[0] is lane:
                self._unblock(party.group, -1)
        self._join_ring(party.group)

    @cython.cfunc
    def _lane_changed(self, group: _Group, party: _Party, lane: _Lane) -> cython.void:
        """Rank a lane anew in its party after its first member has changed."""
        if not lane.heap:
            lane.gone = group.looks
            _take_out(party.heap, lane)
            self._party_changed(group, party)
            return
        first: _Ranked = lane.heap[0]
        if lane.position >= 0 and _same(lane, first):
            return
        _rank_as(lane, first)
        if lane.position < 0:
            _put(party.heap, lane)
        else:
            _settle(party.heap, lane)
        self._party_changed(group, party)

    @cython.cfunc
    def _party_changed(self, group: _Group, party: _Party) -> cython.void:
        """Rank a party anew in its group after its first lane or its turn has changed."""
        if not party.heap:
            if party.position >= 0:
                _take_out(group.heap, party)
            return
        first: _Ranked = party.heap[0]
        party.priority = first.priority
        if party.position < 0:
            _put(group.heap, party)
        elif len(group.heap) > 1:
            _settle(group.heap, party)

    @cython.cfunc
    def _first_line(self, group: _Group) -> _Line:
        """Bring the true first line to the top of a group's heaps. None if there is none."""
        while group.heap:
            party: _Party = group.heap[0]
            lane: _Lane = party.heap[0]
            line: _Line = self._first_of(lane)
            if line is not None and _same(lane, line):
                return line
            self._lane_changed(group, party, lane)
        return None

    @cython.cfunc
    def _first_of(self, lane: _Lane) -> _Line:
        """Bring the true first line to the top of a lane's heap. None if there is none."""
        while lane.heap:
            member: _Member = lane.heap[0]
            line: _Line = self._lines[member.line]
            if _same(member, line):
                return line
            if not member.behind:
                member.behind = True
                line.behind.append(member)
            if not line.heap:
                _take_out(lane.heap, member)
            else:
                _rank_as(member, line)
                _sink(lane.heap, member, 0)
        return None

    @cython.cfunc
    def _join_ring(self, index: cython.int) -> cython.void:
        """Put a group that has workers with room and perhaps work at the end of the ring."""
        group: _Group = self._groups[index]
        if group.listed or group.first < 0 or not group.heap:
            return
        group.listed = True
        group.next = -1
        if self._ring_last >= 0:
            last: _Group = self._groups[self._ring_last]
            last.next = index
        else:
            self._ring_first = index
        self._ring_last = index

    @cython.cfunc
    def _leave_ring(self, group: _Group) -> cython.void:
        """Take the first group out of the ring."""
        self._ring_first = group.next
        if group.next < 0:
            self._ring_last = -1
        group.listed = False

    # --- workers and what they hold ---------------------------------------------------------------

    @cython.cfunc
    def _wait(self, worker: _Worker) -> cython.void:
        """Put a worker with room at the end of its group's list."""
        group: _Group = self._groups[worker.group]
        worker.waiting = True
        group.first = self._link(worker, group.first, group.last)
        group.last = worker.index
        self._join_ring(worker.group)

    @cython.cfunc
    def _block(self, worker: _Worker) -> cython.void:
        """Put a worker with room for nothing that is ready at the end of its group's other list."""
        group: _Group = self._groups[worker.group]
        worker.blocked = True
        group.blocked_first = self._link(worker, group.blocked_first, group.blocked_last)
        group.blocked_last = worker.index

    @cython.cfunc
    def _link(self, worker: _Worker, first: cython.int, last: cython.int) -> cython.int:
        """Put a worker at the end of a list, and return the first of the list."""
        worker.next = -1
        worker.prev = last
        if last < 0:
            return worker.index
        before: _Worker = self._workers[last]
        before.next = worker.index
        return first

    @cython.cfunc
    def _wait_no_more(self, worker: _Worker) -> cython.void:
        """Take a worker out of the list that it is in, if it is in one."""
        if not worker.waiting and not worker.blocked:
            return
        group: _Group = self._groups[worker.group]
        if worker.prev >= 0:
            ahead: _Worker = self._workers[worker.prev]
            ahead.next = worker.next
        elif worker.waiting:
            group.first = worker.next
        else:
            group.blocked_first = worker.next
        if worker.next >= 0:
            after: _Worker = self._workers[worker.next]
            after.prev = worker.prev
        elif worker.waiting:
            group.last = worker.prev
        else:
            group.blocked_last = worker.prev
        worker.waiting = worker.blocked = False
        if worker.pressed:
            worker.pressed = False
            self._pressed.discard(worker.index)

    @cython.cfunc
    def _unblock(self, index: cython.int, since: cython.longlong) -> cython.void:
        """Let the blocked workers of a group look again that looked at `since` or later."""
        group: _Group = self._groups[index]
        while group.blocked_last >= 0:
            worker: _Worker = self._workers[group.blocked_last]
            if worker.looked < since:
                break
            self._wait_no_more(worker)
            self._wait(worker)

    @cython.cfunc
    def _release_savers(self, line: _Line) -> cython.void:
        """Let workers look again that save for tasks that are not there any more."""
        while len(line.savers) > line.ready:
            worker: _Worker = self._workers[line.savers.pop()]
            self._save_no_more(worker)
            if worker.blocked:
                self._wait_no_more(worker)
                self._wait(worker)

    @cython.cfunc
    def _release_pressed(self, job: _Job) -> cython.void:
        """Let workers look again that found only what is not for them: here is another job."""
        for index in list(self._pressed):
            worker: _Worker = self._workers[index]
            group: _Group = self._groups[worker.group]
            if job.kind in group.kinds and not _is_not_for(worker, job):
                self._wait_no_more(worker)
                self._wait(worker)

    @cython.cfunc
    def _wake(self, worker: _Worker) -> cython.void:
        """Let a worker wait for work if something is free again: a slot and amounts, or a quarter
        of its credit."""
        if worker.waiting or worker.slots == 0:
            return
        if (
            worker.freed
            or (worker.reserved < worker.slots and not worker.blocked)
            or self._may_lead(worker)
            or (
                4 * worker.held <= 3 * self._credit_tasks
                and 4.0 * worker.seconds
                <= 3.0 * self._credit_seconds * min(worker.reserved, worker.slots)
            )
        ):
            self._wait_no_more(worker)
            self._wait(worker)

    # --- amounts ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(check=False)
    def _fitting(self, worker: _Worker, need: cython.int, most: cython.longlong) -> cython.longlong:
        """Return how many more tasks of a need the worker has slots and amounts for."""
        count: cython.longlong = worker.slots - worker.reserved - (worker.saving >= 0)
        if count <= 0:
            return 0
        count = min(count, most)
        what: _Need = self._needs[need]
        if what.cpus > 0:
            if worker.free_cpus < what.cpus:
                return 0
            count = min(count, worker.free_cpus // what.cpus)
        i: cython.Py_ssize_t
        for i in range(what.size):
            resource: cython.longlong = what.resources[i]
            if resource >= len(worker.free):
                return 0
            free: cython.longlong = worker.free[resource]
            if free < what.amounts[i]:
                return 0
            count = min(count, free // what.amounts[i])
        return count

    @cython.cfunc
    @cython.exceptval(check=False)
    def _possible(self, worker: _Worker, need: cython.int) -> cython.bint:
        """Tell whether the worker could run a task of a need if it held nothing."""
        what: _Need = self._needs[need]
        if worker.total_cpus < what.cpus:
            return False
        i: cython.Py_ssize_t
        for i in range(what.size):
            resource: cython.longlong = what.resources[i]
            if resource >= len(worker.total) or worker.total[resource] < what.amounts[i]:
                return False
        return True

    @cython.cfunc
    @cython.exceptval(check=False)
    def _use(self, worker: _Worker, need: cython.int, count: cython.longlong) -> cython.void:
        """Take the amounts of so many tasks from what is free; fewer than 0: give them back."""
        what: _Need = self._needs[need]
        worker.free_cpus -= count * what.cpus
        i: cython.Py_ssize_t
        for i in range(what.size):
            resource: cython.Py_ssize_t = what.resources[i]
            worker.free[resource] -= count * what.amounts[i]

    @cython.cfunc
    @cython.exceptval(check=False)
    def _reserve_for(
        self, worker: _Worker, holding: _Holding, count: cython.longlong
    ) -> cython.void:
        """Reserve slots and amounts for so many tasks; fewer than 0: free them."""
        holding.reserved += count
        worker.reserved += count
        self._use(worker, holding.need, count)

    @cython.cfunc
    def _promise(self, worker: _Worker) -> cython.void:
        """Reserve what is free for what waits at the worker: that goes before all else there."""
        self._promise_for(worker, worker.main)
        for holding in worker.others:
            self._promise_for(worker, holding)

    @cython.cfunc
    def _promise_for(self, worker: _Worker, holding: _Holding) -> cython.void:
        if holding.held > holding.reserved:
            more: cython.longlong = holding.held - holding.reserved
            more = self._fitting(worker, holding.need, more)
            if more > 0:
                self._reserve_for(worker, holding, more)

    @cython.cfunc
    def _set_total(self, worker: _Worker, amounts: dict) -> cython.void:
        """Give a worker other amounts; what is reserved stays so, even if it is more."""
        size: cython.Py_ssize_t = max(self._width, max(amounts, default=0) + 1)
        worker.total = [0] * size
        worker.free = [0] * size
        worker.total_cpus = worker.free_cpus = amounts.get(0, 0)
        for resource, amount in amounts.items():
            if resource > 0:
                worker.total[resource] = worker.free[resource] = amount
        for item in [worker.main, *worker.others]:
            holding: _Holding = item
            if holding.reserved > 0:
                self._use(worker, holding.need, holding.reserved)
        if worker.saving >= 0:
            self._use(worker, worker.saved, 1)

    @cython.cfunc
    def _holding_of(self, worker: _Worker, need: cython.int) -> _Holding:
        """Return what the worker holds of a need, or None."""
        holding: _Holding = worker.main
        if holding.need == need:
            return holding
        for item in worker.others:
            holding = item
            if holding.need == need:
                return holding
        return None

    @cython.cfunc
    def _holding_for(self, worker: _Worker, need: cython.int) -> _Holding:
        """Return what the worker holds of a need, made if it is new."""
        holding: _Holding = self._holding_of(worker, need)
        if holding is not None:
            return holding
        if worker.main.held == 0:
            worker.main.need = need
            return worker.main
        holding = _Holding(need)
        worker.others.append(holding)
        return holding

    @cython.cfunc
    def _save_for(self, worker: _Worker, lane: _Lane) -> cython.void:
        """Let the worker keep what it has for the first task of a lane that it cannot take yet.

        Needless if it holds one that needs the same: what that leaves is enough. A task is saved
        for by one worker, so that few wait for few.
        """
        wanted: cython.int = -1
        for need in lane.needs:
            holding: _Holding = self._holding_of(worker, need)
            if holding is not None and holding.reserved > 0:
                return
            if wanted < 0 and self._possible(worker, need):
                wanted = need
        found: _Member = None
        place: cython.Py_ssize_t
        for place in range(min(len(lane.heap), _PASSES_MOST)):
            member: _Member = lane.heap[place]
            line: _Line = self._lines[member.line]
            if line.ready > len(line.savers) and (found is None or _before(member, found)):
                found = member
        if wanted >= 0 and found is not None:
            worker.saving = found.line
            worker.saved = wanted
            line = self._lines[found.line]
            line.savers.add(worker.index)
            self._use(worker, wanted, 1)

    @cython.cfunc
    def _save_no_more(self, worker: _Worker) -> cython.void:
        """End what a worker saves for, if it does."""
        if worker.saving >= 0:
            line: _Line = self._lines[worker.saving]
            line.savers.discard(worker.index)
            worker.saving = -1
            self._use(worker, worker.saved, -1)

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _has_credit(self, worker: _Worker, holding: _Holding, cost: cython.double) -> cython.bint:
        """Tell whether a worker may take a task that costs so much, to wait for others there.

        Full is full, also for a task that costs nothing: it would wait behind long ones. And what
        others wait for is not filled up.
        """
        slots: cython.longlong = min(holding.reserved, worker.slots)
        room: cython.double = self._credit_seconds * slots - holding.seconds
        return (
            worker.saving < 0
            and 0.0 <= cost <= self._credit_seconds
            and worker.held < self._credit_tasks
            and 0.0 < room >= cost
        )

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _has_lead(self, worker: _Worker, holding: _Holding, job: _Job) -> cython.bint:
        """Tell whether a worker may take a task of a job ahead, to wait for its like there."""
        most: cython.longlong = 2 * min(holding.reserved, worker.slots)
        return job.ahead and worker.saving < 0 and holding.held < most

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _may_lead(self, worker: _Worker) -> cython.bint:
        """Tell whether there may be a task that the worker could take ahead."""
        return self._leading > 0 and worker.held < 2 * min(worker.reserved, worker.slots)

    @cython.cfunc
    def _has_room(self, worker: _Worker) -> cython.bint:
        """Tell whether there may be a task that the worker could take."""
        if worker.reserved < worker.slots or self._has_credit(worker, worker.main, 0.0):
            return True
        if self._may_lead(worker):
            return True
        for item in worker.others:
            holding: _Holding = item
            if self._has_credit(worker, holding, 0.0):
                return True
        return False

    @cython.cfunc
    def _choose(self, worker: _Worker, lane: _Lane, job: _Job) -> cython.Py_ssize_t:
        """Return the place of the need by which the worker can take a task of a lane, or -1."""
        place: cython.Py_ssize_t
        size: cython.Py_ssize_t = len(lane.needs)
        if worker.reserved < worker.slots:
            for place in range(size):
                if self._fitting(worker, lane.needs[place], 1) > 0:
                    return place
        if job.ahead or 0.0 <= job.cost <= self._credit_seconds:
            for place in range(size):
                holding: _Holding = self._holding_of(worker, lane.needs[place])
                if holding is not None and (
                    self._has_credit(worker, holding, job.cost)
                    or self._has_lead(worker, holding, job)
                ):
                    return place
        return -1

    # --- what workers hold ------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(check=False)
    def _hold(
        self,
        worker: _Worker,
        holding: _Holding,
        slot: cython.int,
        attempt: cython.int,
        cost: cython.double,
    ) -> cython.void:
        """Give a task that is in no queue to a worker. The caller counts and reserves."""
        self._state[slot] = _assigned
        self._marks[slot] = 0
        self._worker[slot] = worker.index
        self._attempt[slot] = attempt
        self._child[slot] = holding.need
        if cost < 0.0:
            cost = self._credit_seconds
        self._cost[slot] = cost
        cost = min(cost, self._credit_seconds)
        self._next[slot] = -1
        self._prev[slot] = worker.last
        if worker.last >= 0:
            self._next[worker.last] = slot
        else:
            worker.first = slot
        worker.last = slot
        worker.held += 1
        worker.seconds += cost
        holding.held += 1
        holding.seconds += cost

    @cython.cfunc
    @cython.exceptval(check=False)
    def _let_go(self, worker: _Worker, slot: cython.int) -> cython.void:
        """Take a task from its worker, with its timer and marks. The caller counts it."""
        after: cython.int = self._next[slot]
        ahead: cython.int = self._prev[slot]
        if ahead >= 0:
            self._next[ahead] = after
        else:
            worker.first = after
        if after >= 0:
            self._prev[after] = ahead
        else:
            worker.last = ahead
        cost: cython.double = min(self._cost[slot], self._credit_seconds)
        worker.held -= 1
        worker.seconds -= cost
        holding: _Holding = self._holding_of(worker, self._child[slot])
        holding.held -= 1
        holding.seconds -= cost
        if holding.reserved > holding.held:
            self._reserve_for(worker, holding, -1)
            worker.freed = True
        if holding.held == 0:
            holding.seconds = 0.0  # whatever rounding left
            if worker.held == 0:
                worker.seconds = 0.0
            if holding is not worker.main:
                worker.others.remove(holding)
        self._worker[slot] = -1
        self._marks[slot] = 0
        if self._timer[slot] >= 0:
            self._unset_timer(slot)

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _work(self, cost: cython.double) -> cython.double:
        """Return the seconds that a task of a known cost, or of none, is charged."""
        return self._credit_seconds if cost < 0.0 else max(cost, _work_least)

    @cython.cfunc
    def _charge_all(
        self, group: _Group, party: _Party, job: _Job, work: cython.double
    ) -> cython.void:
        """Charge work to a job, and to its submitter in the group of the worker."""
        party.clock = max(party.clock, job.turn)
        group.clock = max(group.clock, party.turn)
        _charge(job, work, self._credit_seconds, job.weight, party.clock)
        _charge(party, work, self._credit_seconds, party.owner.weight, group.clock)

    @cython.cfunc
    def _refund(self, worker: _Worker, job: _Job, slot: cython.int) -> cython.void:
        """Note that a task which the worker holds and has not started is given back."""
        if self._state[slot] != _assigned:
            return
        work: cython.double = self._work(self._cost[slot])
        job.owed += work
        line: _Line = self._lines[job.line]
        group: _Group = self._groups[worker.group]
        party: _Party = group.parties.get(line.owner.number)
        if party is not None:
            party.owed += work

    @cython.cfunc
    def _detach(self, job: _Job, slot: cython.int) -> cython.void:
        """Take a task out of the state it is in, whichever; then it is in none."""
        state: cython.int = self._state[slot]
        if state in (_queued, _returned):
            self._dequeue(job, slot)
            self._requeued(job)
            return
        self._count(job, state, -1)
        if state == _delayed:
            self._unset_timer(slot)
        else:
            worker: _Worker = self._workers[self._worker[slot]]
            self._let_go(worker, slot)
            self._wake(worker)

    # --- timers -----------------------------------------------------------------------------------

    @cython.cfunc
    def _reserve_timer(self) -> cython.void:
        """Make room for one more timer."""
        if self._timers < len(self._times):
            return
        size: cython.Py_ssize_t = 2 * len(self._times)
        times = array("d", bytes(8 * size))
        timed = array("i", bytes(4 * size))
        memoryview(times)[: self._timers] = memoryview(self._times)
        memoryview(timed)[: self._timers] = memoryview(self._timed)
        self._times = times
        self._timed = timed

    @cython.cfunc
    @cython.exceptval(check=False)
    def _move_timer(
        self, place: cython.Py_ssize_t, time: cython.double, slot: cython.int
    ) -> cython.void:
        """Put a timer into the heap, from the hole at `place` to where it belongs."""
        while place > 0 and time < self._times[(place - 1) >> 1]:
            self._put_timer(place, (place - 1) >> 1)
            place = (place - 1) >> 1
        child: cython.Py_ssize_t = 2 * place + 1
        while child < self._timers:
            if child + 1 < self._timers and self._times[child + 1] < self._times[child]:
                child += 1
            if not self._times[child] < time:
                break
            self._put_timer(place, child)
            place = child
            child = 2 * place + 1
        self._times[place] = time
        self._timed[place] = slot
        self._timer[slot] = cython.cast(cython.int, place)

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _put_timer(self, place: cython.Py_ssize_t, source: cython.Py_ssize_t) -> cython.void:
        self._times[place] = self._times[source]
        self._timed[place] = self._timed[source]
        self._timer[self._timed[place]] = cython.cast(cython.int, place)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _set_timer(self, slot: cython.int, time: cython.double) -> cython.void:
        """Set a task's only timer. Room is reserved already."""
        self._timers += 1
        self._move_timer(self._timers - 1, time, slot)

    @cython.cfunc
    @cython.exceptval(check=False)
    def _unset_timer(self, slot: cython.int) -> cython.void:
        place: cython.Py_ssize_t = self._timer[slot]
        self._timers -= 1
        self._timer[slot] = -1
        if place != self._timers:
            self._move_timer(place, self._times[self._timers], self._timed[self._timers])

    # --- what the doors are given -----------------------------------------------------------------

    @cython.cfunc
    def _job_of(self, job: object) -> _Job:
        found = self._by_number.get(job)
        if found is None:
            raise KeyError(f"there is no job {job}")
        return found

    @cython.cfunc
    def _worker_of(self, worker: object) -> _Worker:
        found = self._workers[worker] if 0 <= worker < len(self._workers) else None
        if found is None:
            raise KeyError(f"there is no worker {worker}")
        return found

    @cython.cfunc
    def _class_of(self, class_: object) -> _Class:
        if not 0 <= class_ < len(self._classes) or self._classes[class_] is None:
            raise KeyError(f"there is no class {class_}")
        return self._classes[class_]

    @cython.cfunc
    def _group_of(self, group: object) -> _Group:
        if not 0 <= group < len(self._groups) or self._groups[group] is None:
            raise KeyError(f"there is no group {group}")
        return self._groups[group]

    @cython.cfunc
    def _prepare(self, count: cython.Py_ssize_t) -> cython.void:
        """Make room for so many given numbers."""
        if len(self._given) < count:
            count += count >> 1
            self._given = array("q", bytes(8 * count))
            self._given_attempts = array("q", bytes(8 * count))
            self._given_crashes = array("q", bytes(8 * count))
            self._given_failures = array("q", bytes(8 * count))
            self._found = array("i", bytes(4 * count))

    @cython.cfunc
    def _read(
        self, values: object, into: cython.longlong[::1], high: cython.longlong
    ) -> cython.void:
        """Copy given integers; one that is out of its range becomes -1."""
        size: cython.Py_ssize_t = len(values)
        i: cython.Py_ssize_t
        number: cython.longlong
        try:
            for i in range(size):
                number = values[i]
                into[i] = number if 0 <= number <= high else -1
        except OverflowError:
            for i in range(size):
                into[i] = _peers(values[i], high)

    @cython.cfunc
    def _read_attempts(self, numbers: object, attempts: object) -> cython.Py_ssize_t:
        """Copy what a worker says of many attempts, and return of how many."""
        size: cython.Py_ssize_t = len(numbers)
        if len(attempts) != size:
            raise ValueError("numbers and attempts must be equally long")
        self._prepare(size)
        self._read(numbers, self._given, _NUMBER_MOST)
        self._read(attempts, self._given_attempts, _ATTEMPT_MOST)
        return size

    @cython.cfunc
    def _named(self, job: _Job, number: object) -> cython.int:
        """Return the record of a task that a peer has named, or -1. (No task has the key -1.)"""
        checked: cython.longlong = _peers(number, _NUMBER_MOST)
        return self._find((job.number << 32) | checked)

    @cython.cfunc
    @cython.inline
    @cython.exceptval(check=False)
    def _holds(self, worker: _Worker, slot: cython.int, attempt: cython.longlong) -> cython.bint:
        return slot >= 0 and self._worker[slot] == worker.index and self._attempt[slot] == attempt

    @cython.cfunc
    def _held_by(self, worker: _Worker, job: object, number: object, attempt: object) -> cython.int:
        """Return the record of an attempt that this worker holds, or -1."""
        slot: cython.int = self._named(self._job_of(job), number)
        return slot if self._holds(worker, slot, _peers(attempt, _ATTEMPT_MOST)) else -1

    # --- doors: classes, groups, jobs -------------------------------------------------------------

    def add_class(self, alternatives=()) -> int:
        """Make a requirement class and return its number, which may be one of a removed class.

        Args:
            alternatives: what a task needs of a worker while it runs, in order of liking: amounts
                by the numbers of the resources. None: one cpu, 10,000 of resource 0.

        Raises:
            ValueError: there are more than 16, or a number is out of its range.
        """
        needs = [_amounts(needed) for needed in alternatives] or [{0: _CPU}]
        if len(needs) > _ALTERNATIVES_MOST:
            raise ValueError(f"a class may have {_ALTERNATIVES_MOST} alternatives at most")
        index = _free_place(self._classes, self._free_classes)
        self._classes[index] = _Class(tuple([self._need_of(needed) for needed in needs]))
        return index

    def remove_class(self, class_: object) -> None:
        """Forget a requirement class that no job has.

        Raises:
            KeyError: the class is not there.
            ValueError: a job has it.
        """
        kind = self._class_of(class_)
        if kind.lines:
            raise ValueError(f"a job has class {class_}")
        for index in kind.groups:
            group: _Group = self._groups[index]
            del group.kinds[class_]
        for number in kind.needs:
            need: _Need = self._needs[number]
            need.users -= 1
            if need.users == 0:
                # It stays where it is until another takes its place: an empty holding may name it.
                del self._need_numbers[need.key]
                self._free_needs.append(number)
        self._classes[class_] = None
        self._free_classes.append(class_)

    @cython.cfunc
    def _need_of(self, amounts: dict) -> int:
        """Return the number of a need, made if it is new."""
        wanted = {resource: amount for resource, amount in sorted(amounts.items()) if amount}
        key = tuple(wanted.items())
        number = self._need_numbers.get(key, -1)
        if number < 0:
            number = self._need_numbers[key] = _free_place(self._needs, self._free_needs)
            self._needs[number] = _Need(wanted)
            self._width = max(self._width, max(wanted, default=0) + 1)
        need: _Need = self._needs[number]
        need.users += 1
        return number

    def add_group(self, classes) -> int:
        """Make a group of workers that can run these classes; return its number.

        It may be one of a removed group.

        Args:
            classes: the classes; or a mapping from each to those of its alternatives, by position
                and in order of liking, that these workers can ever run.

        Raises:
            KeyError: one of the classes is not there.
            ValueError: a class has no such alternative.
        """
        wanted = classes if hasattr(classes, "items") else dict.fromkeys(classes, ())
        checked = {class_: self._liked(class_, liked) for class_, liked in wanted.items()}
        index = _free_place(self._groups, self._free_groups)
        self._groups[index] = _Group()
        for class_, liked in checked.items():
            self.extend_group(index, class_, liked)
        return index

    def remove_group(self, group: object) -> None:
        """Forget a group that no worker is of.

        Raises:
            KeyError: the group is not there.
            ValueError: there are workers of it.
        """
        crowd = self._group_of(group)
        if crowd.crowd > 0:
            raise ValueError(f"there are workers of group {group}")
        for class_ in crowd.kinds:
            kind: _Class = self._classes[class_]
            kind.groups.remove(group)
            for index in kind.lines.values():
                self._part(index, group)
        if crowd.listed:
            self._unlist(group)
        self._groups[group] = None
        self._free_groups.append(group)

    @cython.cfunc
    def _part(self, index: cython.int, group: cython.int) -> cython.void:
        """Take a line from a group that is going to be forgotten."""
        line: _Line = self._lines[index]
        member: _Member
        for item in line.members:
            member = item
            if self._group_number(member) == group:
                break
        self._leave(member)
        line.members.remove(member)
        if member.behind:
            line.behind.remove(member)
        self._show(line)

    @cython.cfunc
    def _unlist(self, index: cython.int) -> cython.void:
        """Take a group out of the ring, wherever it stands."""
        gone: _Group = self._groups[index]
        if self._ring_first == index:
            self._leave_ring(gone)
            return
        before: _Group = self._groups[self._ring_first]
        last: cython.int = self._ring_first
        while before.next != index:
            last = before.next
            before = self._groups[last]
        before.next = gone.next
        if gone.next < 0:
            self._ring_last = last
        gone.listed = False

    @cython.cfunc
    def _liked(self, class_: object, alternatives: object) -> tuple:
        """Return the given alternatives of a class, or all of them if none is given."""
        kind = self._class_of(class_)
        most = len(kind.needs) - 1
        liked = tuple([_within(one, 0, most, "an alternative") for one in alternatives])
        return liked or tuple(range(most + 1))

    def extend_group(self, group: object, class_: object, alternatives=()) -> None:
        """Let the workers of a group run one more class; nothing happens if they do already.

        Args:
            group: the group.
            class_: the class.
            alternatives: those of the class, by position and in order of liking, that these
                workers can ever run; none given: all.

        Raises:
            KeyError: the group or the class is not there.
            ValueError: the class has no such alternative.
        """
        crowd = self._group_of(group)
        liked = self._liked(class_, alternatives)
        kind = self._class_of(class_)
        if class_ in crowd.kinds:
            return
        crowd.kinds[class_] = liked
        kind.groups.append(group)
        for line in kind.lines.values():
            self._join(line, group)

    @cython.cfunc
    def _join(self, index: cython.int, group: cython.int) -> cython.void:
        """Make a line known to a group that runs its class."""
        line: _Line = self._lines[index]
        lane: _Lane = self._lane_of(line, group)
        lane.members += 1
        member: _Member = _Member(index, lane.index)
        line.members.append(member)
        crowd: _Group = self._groups[group]
        crowd.ready += line.shown
        if line.heap:
            self._tell_one(line, member)
        member.behind = True
        line.behind.append(member)

    @cython.cfunc
    def _lane_of(self, line: _Line, group: cython.int) -> _Lane:
        """Return the lane of a line in a group, made with its party if it is the first there."""
        crowd: _Group = self._groups[group]
        kind: _Class = self._classes[line.kind]
        party: _Party = crowd.parties.get(line.owner.number)
        if party is None:
            place = _free_place(self._parties, self._free_parties)
            party = self._parties[place] = _Party(place, group, line.owner)
            crowd.parties[line.owner.number] = party
        liked: tuple = crowd.kinds[line.kind]
        needs: tuple = tuple([kind.needs[one] for one in liked])
        lane: _Lane = party.lanes.get((needs, liked))
        if lane is None:
            place = _free_place(self._lanes, self._free_lanes)
            lane = self._lanes[place] = _Lane(place, party.index, needs, liked)
            party.lanes[needs, liked] = lane
        return lane

    @cython.cfunc
    def _leave(self, member: _Member) -> cython.void:
        """Take a line that has nothing ready from a group; drop what it was the last in."""
        lane: _Lane = self._lanes[member.lane]
        party: _Party = self._parties[lane.party]
        group: _Group = self._groups[party.group]
        if member.position >= 0:
            _take_out(lane.heap, member)
            self._lane_changed(group, party, lane)
        lane.members -= 1
        if lane.members == 0:
            del party.lanes[lane.needs, lane.liked]
            self._lanes[lane.index] = None
            self._free_lanes.append(lane.index)
        if not party.lanes:
            del group.parties[party.owner.number]
            self._parties[party.index] = None
            self._free_parties.append(party.index)

    @cython.cfunc
    def _submitter_of(self, number: cython.longlong) -> _Submitter:
        """Return a submitter, made if it is new."""
        found = self._submitters.get(number)
        if found is None:
            found = self._submitters[number] = _Submitter(number)
        return found

    @cython.cfunc
    def _drop_submitter(self, owner: _Submitter) -> cython.void:
        """Forget a submitter of whom there is nothing to know."""
        if owner.lines == 0 and owner.weight == 1.0:
            del self._submitters[owner.number]

    @cython.cfunc
    def _enter(self, job: _Job, submitter: cython.longlong) -> cython.void:
        """Put a new job into the line of its class and submitter, made if it is the first."""
        kind: _Class = self._classes[job.kind]
        index = kind.lines.get(submitter)
        line: _Line
        if index is None:
            owner: _Submitter = self._submitter_of(submitter)
            owner.lines += 1
            index = _free_place(self._lines, self._free_lines)
            line = self._lines[index] = _Line(job.kind, owner)
            kind.lines[submitter] = index
            for group in kind.groups:
                self._join(index, group)
        line = self._lines[index]
        line.jobs += 1
        job.line = index

    @cython.cfunc
    def _exit(self, job: _Job) -> cython.void:
        """Take a job that has no tasks out of its line; drop the line if it was the last."""
        line: _Line = self._lines[job.line]
        line.jobs -= 1
        if line.jobs > 0:
            return
        for member in line.members:
            self._leave(member)
        kind: _Class = self._classes[line.kind]
        owner: _Submitter = line.owner
        del kind.lines[owner.number]
        self._lines[job.line] = None
        self._free_lines.append(job.line)
        owner.lines -= 1
        self._drop_submitter(owner)

    def add_job(
        self,
        job: object,
        class_: object,
        priority: object,
        retries: object,
        crashes: object = 5,
        submitter: object = 0,
        weight: object = 1.0,
    ) -> None:
        """Make a job without tasks.

        Args:
            job: its number, 0 to 2**31 - 1.
            class_: the requirement class of its tasks.
            priority: -1,000,000 to 1,000,000, higher first.
            retries: how often each of its tasks may fail and be tried again, 0 to 255.
            crashes: how often each may crash, the last of which fails it, 1 to 255.
            submitter: whose it is, 0 to 2**31 - 1.
            weight: of the job among those of its submitter, 1e-6 to 1e6.

        Raises:
            KeyError: the class is not there.
            ValueError: the job is there already, or a number is out of its range.
        """
        number = _within(job, 0, _JOB_MOST, "job")
        rank = _within(priority, -_PRIORITY_MOST, _PRIORITY_MOST, "priority")
        tries = _within(retries, 0, _RETRIES_MOST, "retries")
        limit = _within(crashes, 1, _CRASHES_MOST, "crashes")
        owner = _within(submitter, 0, _SUBMITTER_MOST, "submitter")
        share = _weight(weight)
        self._class_of(class_)
        if number in self._by_number:
            raise ValueError(f"there is a job {number} already")
        index = _free_place(self._jobs, self._free_jobs)
        record = _Job(number, index, class_, rank)
        record.retries = tries
        record.crashes = limit
        record.weight = share
        self._enter(record, owner)
        self._jobs[index] = self._by_number[number] = record

    def set_cost(self, job: object, seconds: object) -> None:
        """Say how long a task of the job is going to run; negative: not known.

        Tasks assigned from now on count with it.
        """
        record = self._job_of(job)
        cost: cython.double = _seconds(seconds, "seconds")
        if cost > _COST_MOST:
            raise ValueError(f"seconds must be at most {_COST_MOST}, not {seconds}")
        record.cost = array("f", [cost])[0] if cost >= 0.0 else -1.0
        if self._pressed and record.position >= 0:
            self._release_pressed(record)

    def prefer(self, job: object, workers: object = None) -> None:
        """Keep a job for some workers; None: for nobody. What others hold of it stays.

        Args:
            job: the job.
            workers: their ids; such as are not there do not matter.

        Raises:
            KeyError: the job is not there.
        """
        record = self._job_of(job)
        record.keen = None if workers is None else frozenset(workers)
        if self._pressed and record.position >= 0:
            self._release_pressed(record)

    def set_ahead(self, job: object, ahead: object) -> None:
        """Say whether workers get one task of the job ahead for each that they may run.

        Raises:
            KeyError: the job is not there.
        """
        record = self._job_of(job)
        wanted: cython.bint = bool(ahead)
        self._leading += wanted - record.ahead
        record.ahead = wanted

    def set_priority(self, job: object, priority: object) -> None:
        """Change a job's priority; what is held stays where it is.

        Raises:
            KeyError: the job is not there.
            ValueError: the priority is not from -1,000,000 to 1,000,000.
        """
        record = self._job_of(job)
        record.priority = _within(priority, -_PRIORITY_MOST, _PRIORITY_MOST, "priority")
        self._requeued(record)

    def set_weight(self, job: object, weight: object) -> None:
        """Change a job's weight among those of its submitter.

        Raises:
            KeyError: the job is not there.
            ValueError: the weight is not from 1e-6 to 1e6.
        """
        record = self._job_of(job)
        record.weight = _weight(weight)

    def set_submitter_weight(self, submitter: object, weight: object) -> None:
        """Set the weight of a submitter, which is 1 until then; it need not have a job.

        Raises:
            ValueError: the weight is not from 1e-6 to 1e6, or the submitter no number.
        """
        number = _within(submitter, 0, _SUBMITTER_MOST, "submitter")
        share = _weight(weight)
        owner: _Submitter = self._submitter_of(number)
        owner.weight = share
        self._drop_submitter(owner)

    def hold_job(self, job: object) -> None:
        """Hand nothing of a job out, until resume_job(); what workers hold goes on."""
        record = self._job_of(job)
        record.on_hold = True
        self._requeued(record)

    def resume_job(self, job: object) -> None:
        """Hand a job out again. One that is being cancelled stays so."""
        record = self._job_of(job)
        record.on_hold = False
        self._requeued(record)

    def remove_job(self, job: object) -> None:
        """Forget a job that has no tasks.

        Raises:
            KeyError: the job is not there.
            ValueError: it has tasks.
        """
        record = self._job_of(job)
        if record.tasks_first >= 0:
            raise ValueError(f"job {job} has tasks")
        self._exit(record)
        self._leading -= record.ahead
        del self._by_number[record.number]
        self._jobs[record.index] = None
        self._free_jobs.append(record.index)

    def job_counts(self, job: object) -> tuple:
        """Return how many tasks of the job are queued, delayed, assigned, running."""
        record = self._job_of(job)
        return (record.queued, record.delayed, record.assigned, record.running)

    # --- doors: tasks in --------------------------------------------------------------------------

    def submit(self, job: object, first: object, count: object, late: object = False) -> None:
        """Queue the tasks first, first + 1, … of a job.

        Args:
            job: the job.
            first: the first one's number.
            count: how many.
            late: they are as old as those that came before them, and only told of now.

        Raises:
            KeyError: the job is not there.
            ValueError: `first` is not above the job's numbers so far, or the last number would be
                above 2**32 - 2.
        """
        record = self._job_of(job)
        number: cython.longlong = _within(first, record.end, _NUMBER_MOST, "first")
        end: cython.longlong = number + _within(count, 0, _NUMBER_MOST + 1 - number, "count")
        self._reserve(end - number)
        self._stamp(record, bool(late))
        while number < end:
            self._enqueue(record, self._new(record, number, 0, 0))
            number += 1
        record.end = end
        self._requeued(record)

    def restore(self, job: object, numbers, attempts, crashes, failures) -> None:
        """Queue tasks that may have a past: after a restart of the server. All of a job are equally
        old, whenever they come.

        Somebody may hold a later attempt than the ones that are known; until a task is given out
        again, adopt() takes it.

        Args:
            job: the job.
            numbers: the tasks, ascending; none of them is here.
            attempts: how often each was assigned, 0 to 2**30.
            crashes: how often each crashed, 0 to 255.
            failures: how many of its retries each has used up, 0 to 255.

        Raises:
            KeyError: the job is not there.
            ValueError: a number is out of its range or order, or the lengths differ.
        """
        record = self._job_of(job)
        size: cython.Py_ssize_t = len(numbers)
        if not len(attempts) == len(crashes) == len(failures) == size:
            raise ValueError("numbers, attempts, crashes and failures must be equally long")
        self._prepare(size)
        self._read(numbers, self._given, _NUMBER_MOST)
        self._read(attempts, self._given_attempts, _ATTEMPT_START)
        self._read(crashes, self._given_crashes, _CRASHES_MOST)
        self._read(failures, self._given_failures, _RETRIES_MOST)
        end: cython.longlong = 0
        i: cython.Py_ssize_t
        for i in range(size):
            if self._given[i] < end:
                raise ValueError(f"{numbers[i]} is not a number from {end} to {_NUMBER_MOST}")
            if self._find((record.number << 32) | self._given[i]) >= 0:
                raise ValueError(f"task {numbers[i]} is here already")
            if min(self._given_attempts[i], self._given_crashes[i], self._given_failures[i]) < 0:
                raise ValueError(f"task {numbers[i]} has a past that is out of range")
            end = self._given[i] + 1
        self._reserve(size)
        self._stamp(record, True)
        for i in range(size):
            slot: cython.int = self._new(
                record,
                self._given[i],
                cython.cast(cython.int, self._given_attempts[i]),
                cython.cast(cython.int, self._given_crashes[i]),
            )
            self._failures[slot] = cython.cast(cython.uchar, self._given_failures[i])
            self._marks[slot] = _restored
            self._enqueue(record, slot)
        record.end = max(record.end, end)
        self._requeued(record)

    # --- doors: workers ---------------------------------------------------------------------------

    def add_worker(self, group: object, slots: object, amounts=()) -> int:
        """Make a worker and return its number, which may be one of a removed worker.

        Args:
            group: its group.
            slots: how many tasks it runs at once, 0 to 1,000,000; 0: it gets none.
            amounts: of each resource, by its number; none given: a cpu for each slot.
        """
        self._group_of(group)
        count = _within(slots, 0, _SLOTS_MOST, "slots")
        checked = _amounts(amounts)
        index = _free_place(self._workers, self._free_workers)
        worker = self._workers[index] = _Worker(index, group)
        worker.plain = not checked
        self._set_total(worker, checked)
        self._crowd(worker, 1)
        self._resize(worker, count)
        return index

    def set_slots(self, worker: object, slots: object) -> None:
        """Change a worker's slots; 0 gives it nothing more, and what it holds stays."""
        record = self._worker_of(worker)
        self._resize(record, _within(slots, 0, _SLOTS_MOST, "slots"))

    def set_amounts(self, worker: object, amounts) -> None:
        """Change what a worker has of each resource; what it holds stays.

        Args:
            worker: the worker.
            amounts: of each resource, by its number; none given: a cpu for each slot.

        Raises:
            KeyError: the worker is not there.
            ValueError: a number is out of its range.
        """
        record = self._worker_of(worker)
        checked = _amounts(amounts)
        record.plain = not checked
        self._set_total(record, checked or {0: record.slots * _CPU})
        self._look_again(record)

    @cython.cfunc
    def _look_again(self, worker: _Worker) -> cython.void:
        """Let a worker look for work that may be able to take other tasks than before."""
        worker.freed = True
        self._wake(worker)

    def set_longest(self, worker: object, seconds: object) -> None:
        """Give a worker no task of a job whose known cost is longer; negative: any task.

        For a worker that leaves at a set time. What it holds stays.
        """
        record = self._worker_of(worker)
        longest = _seconds(seconds, "seconds")
        longer: cython.bint = record.longest >= 0.0 and not 0.0 <= longest <= record.longest
        record.longest = longest
        if longer:
            self._look_again(record)

    def set_group(self, worker: object, group: object) -> None:
        """Move a worker to another group; what it holds stays.

        Raises:
            KeyError: the worker or the group is not there.
        """
        record = self._worker_of(worker)
        self._group_of(group)
        slots = record.slots
        self._resize(record, 0)
        self._crowd(record, -1)
        record.group = group
        self._crowd(record, 1)
        self._resize(record, slots)

    @cython.cfunc
    def _crowd(self, worker: _Worker, step: cython.int) -> cython.void:
        group: _Group = self._groups[worker.group]
        group.crowd += step

    @cython.cfunc
    def _resize(self, worker: _Worker, slots: cython.longlong) -> cython.void:
        group: _Group = self._groups[worker.group]
        group.bearing += (slots > 0) - (worker.slots > 0)
        self._slots += slots - worker.slots
        if worker.plain:
            worker.total_cpus += (slots - worker.slots) * _CPU
            worker.free_cpus += (slots - worker.slots) * _CPU
        more: cython.bint = slots > worker.slots
        worker.slots = slots
        if slots == 0:
            self._wait_no_more(worker)
            self._save_no_more(worker)
        elif more:
            self._look_again(worker)

    def suspect(self, worker: object, oldest: object) -> None:
        """Note what a worker may be running beside what it said, when it is lost from sight.

        A task that kills computers is to be found, and those that only waited beside it are not to
        fail with it. So blamed is what was said to run, and the oldest of what the worker holds,
        as many as it has slots. Word of a start or of a result may be lost with the worker, so
        these may be wrong; but what comes back is the oldest of its job and is handed out first
        again, so a poison task is soon among the oldest wherever it goes. What runs beside it each
        time fails with it: from here the two look the same.

        Args:
            worker: the worker.
            oldest: how many tasks it runs at once, 0 or more; 0: none is suspect.
        """
        record = self._worker_of(worker)
        left: cython.longlong = _within(oldest, 0, _TASKS_MOST, "oldest")
        slot: cython.int = record.first
        while slot >= 0:
            self._marks[slot] = _suspect if left > 0 else 0
            left -= 1
            slot = self._next[slot]

    def lapse(self, worker: object, job: object, blame: object, numbers=None) -> tuple:
        """Take a job's tasks from a worker; they go back to the job's queue, with their age.

        Args:
            worker: the worker; it stays.
            job: the job.
            blame: count a crash for each of them that is running or suspect.
            numbers: only these tasks; those that the worker does not hold are ignored.

        Returns:
            (back, failed): (number, attempt, crashes, failures) of what is queued again, and
            (number, attempt) of what crashed too often and is forgotten now; each in order of
            assignment, or in the order of `numbers`.
        """
        holder = self._worker_of(worker)
        record = self._job_of(job)
        guilty: cython.bint = bool(blame)
        given = self._held_of(holder, record) if numbers is None else numbers
        size: cython.Py_ssize_t = len(given)
        self._prepare(size)
        self._read(given, self._given, _NUMBER_MOST)
        back: list = []
        failed: list = []
        i: cython.Py_ssize_t
        for i in range(size):
            slot: cython.int = self._find((record.number << 32) | self._given[i])
            if slot < 0 or self._worker[slot] != holder.index:
                continue
            number: cython.longlong = self._given[i]
            if self._give_back(holder, record, slot, guilty):
                failed.append((number, self._attempt[slot]))
                self._forget(record, slot)
            else:
                back.append(
                    (number, self._attempt[slot], self._crashes[slot], self._failures[slot])
                )
        self._requeued(record)
        self._wake(holder)
        return (back, failed)

    @cython.cfunc
    def _held_of(self, worker: _Worker, job: _Job) -> list:
        """Return the numbers of a job's tasks that a worker holds, in order of assignment."""
        found: list = []
        slot: cython.int = worker.first
        while slot >= 0:
            if self._job[slot] == job.index:
                found.append(self._key[slot] & _number_bits)
            slot = self._next[slot]
        return found

    def remove_worker(self, worker: object, blame: object) -> list:
        """Forget a worker; its tasks go back to their queues, with their age.

        Args:
            worker: the worker.
            blame: count a crash for each of its tasks that is running or suspect.

        Returns:
            What crashed too often and is forgotten now, as (job, number, attempt).
        """
        record = self._worker_of(worker)
        guilty: cython.bint = bool(blame)
        failed: list = []
        self._resize(record, 0)
        job: _Job = None
        while record.first >= 0:
            slot: cython.int = record.first
            if job is None or job.index != self._job[slot]:
                if job is not None:
                    self._requeued(job)
                job = self._jobs[self._job[slot]]
            if self._give_back(record, job, slot, guilty):
                failed.append(self._told(job, slot))
                self._forget(job, slot)
        if job is not None:
            self._requeued(job)
        self._crowd(record, -1)
        self._workers[record.index] = None
        self._free_workers.append(record.index)
        return failed

    @cython.cfunc
    @cython.exceptval(check=False)
    def _give_back(
        self, worker: _Worker, job: _Job, slot: cython.int, guilty: cython.bint
    ) -> cython.bint:
        """Take a task from its worker and queue it, or tell that it has crashed once too often.

        Then it is in no queue. The caller ends with `_requeued`.
        """
        state: cython.int = self._state[slot]
        blamed: cython.bint = guilty and (state == _running or (self._marks[slot] & _suspect) != 0)
        if not blamed:
            self._refund(worker, job, slot)
        self._count(job, state, -1)
        self._let_go(worker, slot)
        if blamed and self._crashed(job, slot):
            return True
        self._marks[slot] = _lost if blamed else 0
        self._enqueue(job, slot)
        return False

    @cython.cfunc
    @cython.inline
    def _told(self, job: _Job, slot: cython.int) -> tuple:
        return (job.number, self._key[slot] & _number_bits, self._attempt[slot])

    @cython.cfunc
    @cython.exceptval(check=False)
    def _crashed(self, job: _Job, slot: cython.int) -> cython.bint:
        """Count a crash of a task, and tell whether it was one too many."""
        if self._crashes[slot] < 255:
            self._crashes[slot] += 1
        return self._crashes[slot] >= job.crashes

    # --- doors: tasks out -------------------------------------------------------------------------

    def assign(self) -> object:
        """Give the next worker with room a batch of tasks; call it until it returns None.

        Returns:
            (worker, [(job, alternative, numbers, attempts), …]) in order of dispatch, or None
            when no worker can take anything. The alternative is the position of what the worker is
            to reserve for each of these tasks, among those of the job's class.
        """
        while self._ring_first >= 0:
            index: cython.int = self._ring_first
            group: _Group = self._groups[index]
            self._leave_ring(group)
            if group.first < 0 or self._first_line(group) is None:
                continue
            worker: _Worker = self._workers[group.first]
            self._wait_no_more(worker)
            runs: list = []
            self._look(group, worker, runs)
            self._join_ring(index)
            if runs:
                return (worker.index, runs)
        return None

    @cython.cfunc
    def _look(self, group: _Group, worker: _Worker, runs: list) -> cython.void:
        """Give the worker what it may have of the group's work, and put it where it is to wait."""
        group.looks += 1
        worker.looked = group.looks
        worker.freed = False
        self._save_no_more(worker)
        self._promise(worker)
        lanes: list = []
        jobs: list = []
        ended: cython.bint = self._fill(group, worker, runs, lanes, jobs)
        if lanes or jobs:
            self._put_back(group, lanes, jobs)
        if ended:
            if self._has_room(worker):
                self._wait(worker)
        elif worker.reserved < worker.slots:
            self._block(worker)
            if jobs:
                worker.pressed = True
                self._pressed.add(worker.index)

    @cython.cfunc
    def _fill(
        self, group: _Group, worker: _Worker, runs: list, lanes: list, jobs: list
    ) -> cython.bint:
        """Give the worker what it may have, looking past what it cannot take.

        What is looked past leaves its heap and is listed: lanes, and jobs that are not for it.

        Returns:
            Whether the worker may have more another time: it has had its share, or all there is.
        """
        left: cython.longlong = -1
        before: _Job = None
        alternative: cython.int = -1
        numbers: list = []
        attempts: list = []
        while left != 0:
            line: _Line = self._first_line(group)
            if line is None:
                return not lanes and not jobs
            job: _Job = line.heap[0]
            if left < 0:
                left = self._share(group, worker, line, job)
            party: _Party = group.heap[0]
            lane: _Lane = party.heap[0]
            other: cython.bint = _is_not_for(worker, job)
            place: cython.Py_ssize_t = -1 if other else self._choose(worker, lane, job)
            if place < 0:
                if worker.reserved + (worker.saving >= 0) >= worker.slots:
                    return False
                if len(lanes) + len(jobs) == _PASSES_MOST:
                    return False
                if other:
                    self._pass_job(line, job, jobs)
                else:
                    self._pass_lane(group, worker, party, lane, lanes)
                continue
            if job is not before or alternative != lane.liked[place]:
                before = job
                alternative = lane.liked[place]
                numbers = []
                attempts = []
                runs.append((job.number, alternative, numbers, attempts))
            work: cython.double = self._work(job.cost)
            most: cython.longlong = min(left, _tasks_left(job, work, self._credit_seconds))
            most = min(most, _tasks_left(party, work, self._credit_seconds))
            given: cython.longlong = self._give(
                worker, job, lane.needs[place], most, numbers, attempts
            )
            left -= given
            self._charge_all(group, party, job, given * work)
            self._party_changed(group, party)
            self._requeued(job)
        return True

    @cython.cfunc
    def _share(self, group: _Group, worker: _Worker, line: _Line, job: _Job) -> cython.longlong:
        """Return how many tasks one call may give the worker, at least 1."""
        # Many groups may be shown nothing yet; and a call that gives nothing is no answer.
        ready: cython.longlong = max(group.ready, line.ready)
        left: cython.longlong = (ready + group.bearing - 1) // group.bearing
        return min(max(left, worker.slots - worker.reserved, self._worth(job.cost)), _batch_most)

    @cython.cfunc
    def _pass_lane(
        self, group: _Group, worker: _Worker, party: _Party, lane: _Lane, lanes: list
    ) -> cython.void:
        """Look past a lane; the first that is to be saved for, the worker saves for."""
        if worker.saving < 0:
            self._save_for(worker, lane)
        _take_out(party.heap, lane)
        self._party_changed(group, party)
        lanes.append(lane)

    @cython.cfunc
    def _pass_job(self, line: _Line, job: _Job, jobs: list) -> cython.void:
        """Look past a job that is not for the worker."""
        _take_out(line.heap, job)
        self._reranked(line)
        jobs.append(job)

    @cython.cfunc
    def _put_back(self, group: _Group, lanes: list, jobs: list) -> cython.void:
        """Put back what was looked past; it is no news to anybody."""
        self._quiet = True
        for item in lanes:
            lane: _Lane = item
            party: _Party = self._parties[lane.party]
            _put(party.heap, lane)
            self._party_changed(group, party)
        for one in jobs:
            job: _Job = one
            line: _Line = self._lines[job.line]
            _put(line.heap, job)
            self._reranked(line)
        self._quiet = False

    @cython.cfunc
    @cython.exceptval(check=False)
    def _worth(self, cost: cython.double) -> cython.longlong:
        """Return how many tasks of a known cost are worth a message; 0 for any other."""
        if not 0.0 < cost < self._credit_seconds * _worth_credit:
            return 0
        return cython.cast(cython.longlong, self._credit_seconds * _worth_credit / cost)

    @cython.cfunc
    def _give(
        self,
        worker: _Worker,
        job: _Job,
        need: cython.int,
        most: cython.longlong,
        numbers: list,
        attempts: list,
    ) -> cython.longlong:
        """Give the worker up to so many tasks of one job: as many as fit, and on credit."""
        holding: _Holding = self._holding_for(worker, need)
        fitting: cython.longlong = self._fitting(worker, need, min(most, job.queued))
        if fitting > 0:
            self._reserve_for(worker, holding, fitting)
        given: cython.longlong = 0
        slot: cython.int = self._oldest(job)
        while given < most and slot >= 0:
            if given >= fitting and not (
                self._has_credit(worker, holding, job.cost) or self._has_lead(worker, holding, job)
            ):
                break
            self._dequeue(job, slot)
            self._hold(worker, holding, slot, self._attempt[slot] + 1, job.cost)
            numbers.append(self._key[slot] & _number_bits)
            attempts.append(self._attempt[slot])
            given += 1
            slot = self._oldest(job)
        self._counts[_assigned] += given
        job.assigned += given
        return given

    def start(
        self, worker: object, job: object, number: object, attempt: object, deadline: object
    ) -> bool:
        """Note that a worker has started an attempt.

        Args:
            worker: the worker that says so.
            job: the job.
            number: the task.
            attempt: the attempt.
            deadline: the time in seconds at which advance() is to report it, or inf. A second
                start of the same attempt only changes the deadline.

        Returns:
            False when the worker does not hold this attempt.
        """
        slot: cython.int = self._held_by(self._worker_of(worker), job, number, attempt)
        time: cython.double = _seconds(deadline, "deadline")
        if slot < 0:
            return False
        self._reserve_timer()
        record: _Job = self._jobs[self._job[slot]]
        self._count(record, self._state[slot], -1)
        self._count(record, _running, 1)
        self._state[slot] = _running
        if self._timer[slot] >= 0:
            self._unset_timer(slot)
        if time != math.inf:
            self._set_timer(slot, time)
        return True

    def finish(self, worker: object, job: object, numbers, attempts) -> list:
        """Take the results of attempts that the worker holds; the tasks are forgotten.

        Args:
            worker: the worker that brings them.
            job: the job.
            numbers: the tasks.
            attempts: the attempt that each result is of.

        Returns:
            The places in `numbers` of results that are not wanted: the worker does not hold that
            attempt (any more).
        """
        holder = self._worker_of(worker)
        record = self._job_of(job)
        size: cython.Py_ssize_t = self._read_attempts(numbers, attempts)
        rejected: list = []
        self._find_given(record.number << 32, size)
        i: cython.Py_ssize_t
        for i in range(size):
            slot: cython.int = self._found[i]
            if not self._holds(holder, slot, self._given_attempts[i]):
                rejected.append(i)
                continue
            self._count(record, self._state[slot], -1)
            self._let_go(holder, slot)
            self._forget(record, slot)
        self._wake(holder)
        return rejected

    def fail(
        self,
        worker: object,
        job: object,
        number: object,
        attempt: object,
        retry_at: object,
        retry: object = True,
    ) -> int:
        """Note that an attempt raised or ran out of time.

        Args:
            worker: the worker that says so.
            job: the job.
            number: the task.
            attempt: the attempt.
            retry_at: the time in seconds from which it may be tried again.
            retry: False: it is not to be tried again, whatever is left.

        Returns:
            STALE (ignored: the worker does not hold this attempt), RETRY (it waits for that time)
            or FAILED (no retries were left: it is forgotten).
        """
        again: cython.bint = bool(retry)
        time: cython.double = _seconds(retry_at, "retry_at")
        if math.isinf(time):
            raise ValueError("retry_at must be a finite number of seconds")
        slot: cython.int = self._held_by(self._worker_of(worker), job, number, attempt)
        if slot < 0:
            return STALE
        self._reserve_timer()
        record: _Job = self._jobs[self._job[slot]]
        self._detach(record, slot)
        if not again or self._failures[slot] >= record.retries:
            self._forget(record, slot)
            return FAILED
        self._failures[slot] += 1
        self._state[slot] = _delayed
        self._count(record, _delayed, 1)
        self._set_timer(slot, time)
        return RETRY

    def crash(
        self, worker: object, job: object, number: object, attempt: object, retry: object = True
    ) -> int:
        """Note that the executor of an attempt died.

        Args:
            worker: the worker that says so.
            job: the job.
            number: the task.
            attempt: the attempt.
            retry: False: it is not to be tried again, however few its crashes.

        Returns:
            STALE (ignored), RETRY (queued again, with its age) or FAILED (it was one crash too
            many: the task is forgotten).
        """
        again: cython.bint = bool(retry)
        slot: cython.int = self._held_by(self._worker_of(worker), job, number, attempt)
        if slot < 0:
            return STALE
        record: _Job = self._jobs[self._job[slot]]
        self._detach(record, slot)
        if self._crashed(record, slot) or not again:
            self._forget(record, slot)
            return FAILED
        self._enqueue(record, slot)
        self._requeued(record)
        return RETRY

    def release(self, worker: object, job: object, numbers, attempts) -> int:
        """Take back attempts that a worker has not started; they are queued again, with their age.

        Returns:
            How many of them it held; the others are ignored.
        """
        holder = self._worker_of(worker)
        record = self._job_of(job)
        size: cython.Py_ssize_t = self._read_attempts(numbers, attempts)
        self._find_given(record.number << 32, size)
        accepted: cython.longlong = 0
        i: cython.Py_ssize_t
        for i in range(size):
            slot: cython.int = self._found[i]
            if self._holds(holder, slot, self._given_attempts[i]):
                self._refund(holder, record, slot)
                self._count(record, self._state[slot], -1)
                self._let_go(holder, slot)
                self._enqueue(record, slot)
                accepted += 1
        self._requeued(record)
        self._wake(holder)
        return accepted

    def adopt(
        self,
        worker: object,
        job: object,
        number: object,
        attempt: object,
        lapsed: object = True,
        alternative: object = -1,
    ) -> bool:
        """Let a worker keep an attempt that it says it holds, even above its room.

        Was the attempt blamed for the loss of its worker, it is no longer: the worker is here.

        Args:
            worker: the worker.
            job: the job.
            number: the task.
            attempt: the attempt, at most 2**30.
            lapsed: it is known that the task's newest attempt was this worker's.
            alternative: the position of what it reserves there, among those of the job's class;
                -1: not known, so the first that the worker has amounts for.

        Raises:
            KeyError: the worker or the job is not there.
            ValueError: its class has no such alternative.

        Returns:
            True if nobody holds the task, its job is not being cancelled, and the attempt is the
            newest one that has lapsed, or not below the newest one of a task that was restored and
            not given out since. Else the worker is to stop the attempt.
        """
        holder = self._worker_of(worker)
        record = self._job_of(job)
        slot: cython.int = self._named(record, number)
        fence: cython.longlong = _peers(attempt, _ATTEMPT_START)
        known: cython.bint = bool(lapsed)
        kind: _Class = self._classes[record.kind]
        place = _within(alternative, -1, len(kind.needs) - 1, "alternative")
        if slot < 0 or fence < 1 or record.held_back or self._worker[slot] >= 0:
            return False
        marks: cython.int = self._marks[slot]
        if not (known and self._attempt[slot] == fence) and not (
            (marks & _restored) != 0 and self._attempt[slot] <= fence
        ):
            return False
        if (marks & _lost) != 0:
            self._crashes[slot] -= 1
        self._detach(record, slot)
        need: cython.int = kind.needs[place] if place >= 0 else self._likely(holder, kind)
        holding: _Holding = self._holding_for(holder, need)
        if self._fitting(holder, need, 1) > 0:
            self._reserve_for(holder, holding, 1)
        self._hold(holder, holding, slot, cython.cast(cython.int, fence), record.cost)
        self._count(record, _assigned, 1)
        return True

    @cython.cfunc
    def _likely(self, worker: _Worker, kind: _Class) -> cython.int:
        """Return the first need of a class that a worker has amounts for, or the first of all."""
        for need in kind.needs:
            if self._possible(worker, need):
                return need
        return kind.needs[0]

    def cancel(self, job: object, number: object) -> object:
        """Forget one task.

        Returns:
            (worker, attempt), the worker -1 if none holds it; None if there is no such task.
        """
        record = self._job_of(job)
        slot: cython.int = self._named(record, number)
        if slot < 0:
            return None
        answer = (self._worker[slot], self._attempt[slot])
        self._detach(record, slot)
        self._forget(record, slot)
        return answer

    def cancel_job(self, job: object, limit: object) -> tuple:
        """Forget up to `limit` (1 or more) tasks of a job, those that it heard of first.

        From the first call until one that leaves no task, none of the job's tasks is handed out.

        Returns:
            ([(worker, number, attempt) of held ones], whether there are more).
        """
        record = self._job_of(job)
        left: cython.longlong = _within(limit, 1, _TASKS_MOST, "limit")
        stopped: list = []
        record.held_back = True
        self._requeued(record)
        while left > 0 and record.tasks_first >= 0:
            slot: cython.int = record.tasks_first
            if self._worker[slot] >= 0:
                stopped.append(
                    (self._worker[slot], self._key[slot] & _number_bits, self._attempt[slot])
                )
            self._detach(record, slot)
            self._forget(record, slot)
            left -= 1
        more: cython.bint = record.tasks_first >= 0
        record.held_back = more
        return (stopped, bool(more))

    # --- doors: time ------------------------------------------------------------------------------

    def advance(self, now: object) -> list:
        """Do what the time has brought: retries that are due go back to their queues.

        Returns:
            (worker, job, number, attempt) of running tasks past their deadline; each once.
        """
        time: cython.double = _seconds(now, "now")
        late: list = []
        while self._timers > 0 and self._times[0] <= time:
            slot: cython.int = self._timed[0]
            job: _Job = self._jobs[self._job[slot]]
            self._unset_timer(slot)
            if self._state[slot] == _delayed:
                self._count(job, _delayed, -1)
                self._enqueue(job, slot)
                self._requeued(job)
            else:
                late.append((self._worker[slot], *self._told(job, slot)))
        return late

    def next_time(self) -> float:
        """Return the earliest time at which advance() has something to do; inf if there is none."""
        return self._times[0] if self._timers > 0 else math.inf

    # --- doors: questions -------------------------------------------------------------------------

    def state(self, job: object, number: object) -> object:
        """Return (state, attempt, crashes, worker, failures) of a task, or None if there is none.

        The worker is -1 if none holds it. The failures are the tries used up of its retries.
        """
        record = self._job_of(job)
        slot: cython.int = self._named(record, number)
        if slot < 0:
            return None
        state: cython.int = self._state[slot]
        if state == _returned:
            state = _queued
        return (
            state,
            self._attempt[slot],
            self._crashes[slot],
            self._worker[slot],
            self._failures[slot],
        )

    def due(self, job: object, number: object) -> float:
        """Return when a task's timer rings: a retry, or a deadline; inf if it has none.

        The same for a task that is not there.
        """
        slot: cython.int = self._named(self._job_of(job), number)
        if slot < 0 or self._timer[slot] < 0:
            return math.inf
        return self._times[self._timer[slot]]

    def held(self, worker: object) -> list:
        """Return (job, number, attempt) of what a worker holds, in order of assignment."""
        record = self._worker_of(worker)
        found: list = []
        slot: cython.int = record.first
        while slot >= 0:
            found.append(self._told(self._jobs[self._job[slot]], slot))
            slot = self._next[slot]
        return found

    def jobs_of(self, worker: object) -> list:
        """Return the jobs that a worker holds tasks of, by their oldest assignment."""
        record = self._worker_of(worker)
        found: dict = {}
        slot: cython.int = record.first
        while slot >= 0:
            job: _Job = self._jobs[self._job[slot]]
            found[job.number] = True
            slot = self._next[slot]
        return list(found)

    def worker_load(self, worker: object) -> tuple:
        """Return (tasks held, slots, seconds that they count against its credit) of a worker."""
        record = self._worker_of(worker)
        return (record.held, record.slots, record.seconds)

    def worker_taken(self, worker: object) -> int:
        """Return how many of a worker's slots are taken by tasks that have their amounts, too."""
        return self._worker_of(worker).reserved

    def slots_taken(self) -> int:
        """Return the same of all workers together; a look at each of them."""
        taken: cython.longlong = 0
        for item in self._workers:
            if item is not None:
                worker: _Worker = item
                taken += worker.reserved
        return taken

    def worker_free(self, worker: object) -> dict:
        """Return how much of each resource no task of a worker uses, what it saves included."""
        record = self._worker_of(worker)
        free = dict(enumerate(record.free))
        free[0] = record.free_cpus
        if record.saving >= 0:
            need: _Need = self._needs[record.saved]
            for resource, amount in need.key:
                free[resource] = free.get(resource, 0) + amount
        return free

    def worker_saves(self, worker: object) -> bool:
        """Tell whether a worker keeps something free for a task that it cannot take yet."""
        return self._worker_of(worker).saving >= 0

    def class_ready(self, class_: object) -> int:
        """Return how many tasks of a class are ready to be handed out."""
        total: cython.longlong = 0
        for index in self._class_of(class_).lines.values():
            line: _Line = self._lines[index]
            total += line.ready
        return total

    def class_workers(self, class_: object) -> int:
        """Return how many workers that have slots can run a class."""
        total: cython.longlong = 0
        for index in self._class_of(class_).groups:
            group: _Group = self._groups[index]
            total += group.bearing
        return total

    def statistics(self) -> Statistics:
        """Return the sizes of everything: tasks by state, tables, all slots of all workers."""
        return Statistics(
            queued=self._counts[_queued],
            delayed=self._counts[_delayed],
            assigned=self._counts[_assigned],
            running=self._counts[_running],
            workers=len(self._workers) - len(self._free_workers),
            classes=len(self._classes) - len(self._free_classes),
            groups=len(self._groups) - len(self._free_groups),
            jobs=len(self._by_number),
            capacity=self._capacity,
            slots=self._slots,
        )

    # --- the proof --------------------------------------------------------------------------------

    def validate(self) -> None:
        """Count everything anew and compare; for tests, as it looks at every record.

        Raises:
            AssertionError: something that always holds does not; the text says what.
        """
        self._validate_table()
        for job in self._by_number.values():
            self._validate_job(job)
        for number, line in enumerate(self._lines):
            if line is not None:
                self._validate_line(number, line)
        self._validate_submitters()
        for number, group in enumerate(self._groups):
            if group is not None:
                self._validate_group(number, group)
        slots: cython.longlong = 0
        for item in self._workers:
            if item is not None:
                worker: _Worker = item
                slots += worker.slots
                self._validate_worker(worker)
        assert self._slots == slots, "the sum of all slots is wrong"
        self._validate_ring()

    @cython.cfunc
    def _validate_table(self) -> cython.void:
        """The table, the index, the free list, the timers."""
        counts = [0] * 6
        timers = 0
        slot: cython.int
        state: cython.int
        for slot in range(self._used):
            state = self._state[slot]
            counts[state] += 1
            if state == _free:
                continue
            assert self._jobs[self._job[slot]] is not None, "a task of a job that is not there"
            job: _Job = self._jobs[self._job[slot]]
            assert self._key[slot] >> 32 == job.number, "a task has another job's key"
            assert self._find(self._key[slot]) == slot, "a task is not found by its key"
            assert self._age[slot] >> 32 <= self._clock, "a task is younger than the clock"
            held = state in (_assigned, _running)
            assert (self._worker[slot] >= 0) == held, "state and worker differ"
            self._validate_marks(job, slot, held)
            if self._timer[slot] >= 0:
                timers += 1
                assert self._timed[self._timer[slot]] == slot, "a timer is another task's"
                assert state in (_delayed, _running), "a timer on an idle task"
            else:
                assert state != _delayed, "a delayed task without a timer"
        assert timers == self._timers, "timers without tasks"
        for place in range(1, self._timers):
            assert self._times[(place - 1) // 2] <= self._times[place], "timers out of order"
        counts[_queued] += counts[_returned]
        for state in range(_queued, _returned):
            assert counts[state] == self._counts[state], f"the count of state {state} is wrong"
        slot = self._free_first
        while slot >= 0:
            assert self._state[slot] == _free, "a task in the free list"
            counts[_free] -= 1
            slot = self._next[slot]
        assert counts[_free] == 0, "a free record is lost"
        assert self._tasks == sum(counts[_queued:_returned]), "the count of tasks is wrong"

    @cython.cfunc
    def _validate_marks(self, job: _Job, slot: cython.int, held: cython.bint) -> cython.void:
        """The marks of a record, and the counts that they speak of."""
        marks: cython.int = self._marks[slot]
        if held:
            assert marks in (0, _suspect), "a held task is marked as if it waited"
        else:
            assert marks in (0, _lost, _restored), "a waiting task is marked as if it were held"
        if marks == _lost:
            assert self._crashes[slot] > 0, "a task was blamed without a crash"
            assert self._crashes[slot] < job.crashes, "a task has crashed too often and is here"
        if marks == _restored:
            assert self._state[slot] != _delayed, "a restored task waits for a retry"
        else:
            assert self._state[slot] != _delayed or self._failures[slot] > 0, (
                "a task waits for a retry without a failure"
            )

    @cython.cfunc
    def _validate_job(self, job: _Job) -> cython.void:
        """A job's list of tasks, its queue, its counts, its place in its class."""
        counts = [0] * 6
        before: cython.int = -1
        slot: cython.int = job.tasks_first
        while slot >= 0:
            counts[self._state[slot]] += 1
            assert self._job_prev[slot] == before, "a job's tasks are linked wrongly"
            assert self._key[slot] & _number_bits < job.end, "a task's number is above the end"
            before = slot
            slot = self._job_next[slot]
        assert job.tasks_last == before, "a job's last task is wrong"
        queued = self._validate_queue(job)
        assert queued == (counts[_queued], counts[_returned]), "a queued task is lost"
        assert job.queued == sum(queued), "a job's queued count is wrong"
        assert job.delayed == counts[_delayed], "a job's delayed count is wrong"
        assert job.assigned == counts[_assigned], "a job's assigned count is wrong"
        assert job.running == counts[_running], "a job's running count is wrong"
        kept = job.held_back or job.on_hold
        assert job.counted == (0 if kept else job.queued), "a job is counted wrongly"
        line: _Line = self._lines[job.line]
        assert line.kind == job.kind, "a job is in another class's line"
        if job.counted:
            assert line.heap[job.position] is job, "a ready job is not where it says"
            assert job.age == self._age[self._oldest(job)], "a job's age is wrong"
        else:
            assert job.position == -1, "a job that has nothing ready is in its line's heap"
        self._validate_account(job)

    @cython.cfunc
    def _validate_account(self, account: _Account) -> cython.void:
        """What an account was charged."""
        assert 0.0 <= account.part < self._credit_seconds, "a whole quantum was not charged"
        assert account.turn >= 0.0, "a turn before all turns"
        assert account.owed >= 0.0, "an account owes"

    @cython.cfunc
    def _validate_queue(self, job: _Job) -> tuple:
        """Return how many tasks are in the job's list and how many among the returned ones."""
        listed = 0
        before: cython.int = -1
        slot: cython.int = job.first
        while slot >= 0:
            assert self._state[slot] == _queued, "a task in the queue has another state"
            assert self._prev[slot] == before, "a queue is linked wrongly"
            assert before < 0 or self._age[before] < self._age[slot], "a queue is out of order"
            listed += 1
            before = slot
            slot = self._next[slot]
        assert job.last == before, "a queue's last task is wrong"
        returned = 0
        rest = [] if job.root < 0 else [job.root]
        while rest:
            above: cython.int = rest.pop()
            assert self._state[above] == _returned, "a returned task has another state"
            returned += 1
            before = above
            slot = self._child[above]
            while slot >= 0:
                assert self._prev[slot] == before, "a heap of returned tasks is linked wrongly"
                assert self._age[above] < self._age[slot], "returned tasks are out of order"
                rest.append(slot)
                before = slot
                slot = self._next[slot]
        return (listed, returned)

    @cython.cfunc
    def _validate_line(self, number: cython.int, line: _Line) -> cython.void:
        """A line's counts and rank, and what its groups know of it."""
        _validate_heap(line.heap)
        kind: _Class = self._classes[line.kind]
        assert kind.lines[line.owner.number] == number, "a line is not where it says"
        ready: cython.longlong = 0
        jobs: cython.longlong = 0
        for item in self._by_number.values():
            job: _Job = item
            if job.line == number:
                ready += job.counted
                jobs += 1
        assert line.jobs == jobs > 0, "a line's count of jobs is wrong"
        assert line.ready == ready, "a line's ready count is wrong"
        most: cython.longlong = line.shown + 2 * (len(line.members) >> 4)
        assert 0 <= line.shown <= ready <= most, "a line's groups count it wrongly"
        if line.heap:
            assert _same(line, line.heap[0]), "a line's rank is wrong"
        else:
            assert line.priority == _lowest, "an empty line has a rank"
        behind: cython.Py_ssize_t = len(line.behind)
        groups: list = []
        for item in line.members:
            member: _Member = item
            behind -= member.behind
            groups.append(self._group_number(member))
            self._validate_member(line, member)
        assert sorted(groups) == sorted(kind.groups), "a line has not joined where it can run"
        assert behind == 0, "a membership is lost behind"
        assert len(line.savers) <= ready, "workers save for what is not there"
        for index in line.savers:
            worker: _Worker = self._workers[index]
            assert worker.saving == number, "a worker does not know for whom it saves"

    @cython.cfunc
    def _validate_member(self, line: _Line, member: _Member) -> cython.void:
        lane: _Lane = self._lanes[member.lane]
        if member.position >= 0:
            assert lane.heap[member.position] is member, "a membership is not where it says"
            assert not _before(line, member), "a group was not told of a higher rank"
        else:
            assert not line.heap, "a group was not told of a ready line"
        assert member.behind or not _before(line.told, member), (
            "a membership is behind and not listed so"
        )

    @cython.cfunc
    def _validate_submitters(self) -> cython.void:
        """Submitters are there as long as they have lines, or a weight of their own."""
        counts: dict = {}
        for item in self._lines:
            if item is not None:
                line: _Line = item
                counts[line.owner.number] = counts.get(line.owner.number, 0) + 1
        for number, one in self._submitters.items():
            owner: _Submitter = one
            assert owner.lines == counts.pop(number, 0), "a submitter's count is wrong"
            assert owner.lines > 0 or owner.weight != 1.0, "a submitter of nothing is kept"
        assert not counts, "a submitter is lost"

    @cython.cfunc
    def _validate_group(self, number: cython.int, group: _Group) -> cython.void:
        """A group's heaps, its counts, and its lists of workers with room."""
        bearing: cython.longlong = 0
        crowd: cython.longlong = 0
        waiting: cython.longlong = 0
        blocked: cython.longlong = 0
        worker: _Worker
        for item in self._workers:
            worker = item
            if item is not None and worker.group == number:
                crowd += 1
                bearing += worker.slots > 0
                waiting += worker.waiting
                blocked += worker.blocked
        assert (group.crowd, group.bearing) == (crowd, bearing), "a group's workers are miscounted"
        self._validate_parties(number, group)
        first: cython.int = group.first
        assert waiting == self._validate_list(number, first, group.last, True)
        first = group.blocked_first
        assert blocked == self._validate_list(number, first, group.blocked_last, False)
        assert group.listed or group.first < 0 or not group.heap, (
            "a group with work and room sleeps"
        )

    @cython.cfunc
    def _validate_parties(self, number: cython.int, group: _Group) -> cython.void:
        _validate_heap(group.heap)
        ready: cython.longlong = 0
        for item in group.kinds:
            kind: _Class = self._classes[item]
            for index in kind.lines.values():
                line: _Line = self._lines[index]
                ready += line.shown
        assert group.ready == ready, "a group's count of ready tasks is wrong"
        for item in group.parties.values():
            party: _Party = item
            assert party.group == number, "a party in another group"
            self._validate_account(party)
            _validate_heap(party.heap)
            for item in party.lanes.values():
                lane: _Lane = item
                assert lane.members > 0, "a lane of nobody is kept"
                assert (lane.position >= 0) == bool(lane.heap), "a lane is not where it says"
                _validate_heap(lane.heap)
                assert not lane.heap or _same(lane, lane.heap[0]), "a lane's rank is wrong"
            assert (party.position >= 0) == bool(party.heap), "a party is not where it says"
            if party.heap:
                top: _Ranked = party.heap[0]
                rank = (party.priority, party.age)
                assert rank == (top.priority, party.owner.number), "a party's rank is wrong"

    @cython.cfunc
    def _validate_list(
        self, number: cython.int, index: cython.int, last: cython.int, waiting: cython.bint
    ) -> cython.longlong:
        """Return how many workers are in a list of a group."""
        count: cython.longlong = 0
        before: cython.int = -1
        looked: cython.longlong = 0
        while index >= 0:
            worker: _Worker = self._workers[index]
            assert worker.waiting == waiting, "a worker in the list does not know it"
            assert worker.blocked != waiting, "a worker in the list does not know it"
            assert worker.group == number, "a worker in another group's list"
            assert worker.prev == before, "a list of workers is linked wrongly"
            assert waiting or worker.looked > looked, "blocked workers are out of order"
            looked = worker.looked
            count += 1
            before = index
            index = worker.next
        assert last == before, "a group's last worker is wrong"
        return count

    @cython.cfunc
    def _validate_worker(self, worker: _Worker) -> cython.void:
        """What a worker holds, and that it is not forgotten while it has a free slot."""
        held: cython.longlong = 0
        seconds: cython.double = 0.0
        before: cython.int = -1
        needs: dict = {}
        slot: cython.int = worker.first
        while slot >= 0:
            assert self._worker[slot] == worker.index, "a worker holds another's task"
            assert self._prev[slot] == before, "a worker's tasks are linked wrongly"
            held += 1
            assert self._cost[slot] >= 0.0, "a task costs less than nothing"
            seconds += min(self._cost[slot], self._credit_seconds)
            need: cython.int = self._child[slot]
            needs[need] = needs.get(need, 0) + 1
            before = slot
            slot = self._next[slot]
        assert worker.last == before, "a worker's last task is wrong"
        assert worker.held == held, "a worker's count is wrong"
        assert abs(worker.seconds - seconds) <= 1e-9 * (1.0 + seconds), "a worker's load is wrong"
        self._validate_holdings(worker, needs)
        assert worker.waiting or worker.blocked or worker.reserved >= worker.slots, (
            "a worker with a free slot sleeps"
        )
        assert worker.slots > 0 or not (worker.waiting or worker.blocked), (
            "a worker without slots waits"
        )
        assert worker.blocked or not worker.pressed, "a worker is pressed by nothing"
        assert worker.pressed == (worker.index in self._pressed), "a pressed worker is lost"

    @cython.cfunc
    def _validate_holdings(self, worker: _Worker, needs: dict) -> cython.void:
        """What is reserved on a worker, and what is free."""
        free: list = list(worker.total)
        free[0] = worker.total_cpus
        reserved: cython.longlong = 0
        i: cython.Py_ssize_t
        for item in [worker.main, *worker.others]:
            holding: _Holding = item
            if item is worker.main and holding.held == 0:
                continue
            assert holding.held == needs.pop(holding.need, 0), "a worker holds other tasks"
            assert holding.held > 0, "an empty holding is kept"
            assert 0 <= holding.reserved <= holding.held, "more is reserved than held"
            reserved += holding.reserved
            what: _Need = self._needs[holding.need]
            free[0] -= holding.reserved * what.cpus
            for i in range(what.size if holding.reserved else 0):
                free[what.resources[i]] -= holding.reserved * what.amounts[i]
        assert not needs, "a worker holds what it does not know"
        assert worker.reserved == reserved, "a worker's count of reserved slots is wrong"
        if worker.saving >= 0:
            line: _Line = self._lines[worker.saving]
            assert worker.index in line.savers, "a worker saves, and its line does not know"
            what = self._needs[worker.saved]
            free[0] -= what.cpus
            for i in range(what.size):
                free[what.resources[i]] -= what.amounts[i]
        assert [worker.free_cpus, *list(worker.free)[1:]] == free, (
            "what is free on a worker is wrong"
        )

    @cython.cfunc
    def _validate_ring(self) -> cython.void:
        """The ring of groups has each listed group once."""
        index: cython.int = self._ring_first
        last: cython.int = -1
        listed: cython.Py_ssize_t = 0
        group: _Group
        for item in self._groups:
            if item is not None:
                group = item
                listed -= group.listed
        while index >= 0:
            group = self._groups[index]
            assert group.listed, "a group in the ring does not know it"
            listed += 1
            last = index
            index = group.next
        assert last == self._ring_last, "the ring's last group is wrong"
        assert listed == 0, "a listed group is lost"


@cython.cfunc
def _validate_heap(heap: list) -> cython.void:
    place: cython.Py_ssize_t
    for place in range(len(heap)):
        item: _Ranked = heap[place]
        assert item.position == place, "something in a heap is not where it says"
        above: _Ranked = heap[(place - 1) // 2] if place else item
        assert not _before(item, above), "a heap is out of order"
