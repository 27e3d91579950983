"""Was it as if everything had happened one after the other, on one machine?

Every update adds an id of its own at the end of a list, and every read gets the list. So the list at the end is the order in
which the updates happened, and linearizability can be checked exactly, in the time of sorting: an order that is known has
only to agree with what everybody saw and with real time. `by_search` decides the same by trying all orders, as the definition
has it, and is there to check the checker.
"""

import itertools
from dataclasses import dataclass


@dataclass
class Operation:
    """An update has an id, a read has what it got. `end` is None if nobody knows whether it was done."""

    begin: float
    end: float | None
    id: str | None = None
    got: tuple | None = None
    refused: bool = False  # it said that nothing was changed


def faults(operations, final):
    """What is wrong with a history, in words; nothing if it is linearizable."""
    found = []
    place = {}
    for number, id in enumerate(final):
        if id in place:
            found.append(f"{id} was done twice")
        place[id] = number
    updates = [operation for operation in operations if operation.id is not None]
    known = {update.id for update in updates}
    found += [f"nobody has written {id}" for id in final if id not in known]
    for update in updates:
        if update.refused and update.id in place:
            found.append(f"{update.id} was refused, and done")
        if not update.refused and update.end is not None and update.id not in place:
            found.append(f"{update.id} was acknowledged, and is lost")
    # Each operation stands behind so many updates; in real time nothing may go back.
    points = []
    for operation in operations:
        if operation.got is not None:
            if operation.got != tuple(final[:len(operation.got)]):
                found.append(f"a read got what was never there: {operation.got}")
                continue
            points.append((operation, len(operation.got), f"a read of {len(operation.got)}"))
        elif operation.id in place and not operation.refused:
            points.append((operation, place[operation.id] + 1, operation.id))
    events = []
    for operation, at, name in points:
        events.append((operation.begin, 1, at, operation, name))
        if operation.end is not None:
            events.append((operation.end, 0, at, operation, name))
    highest, by = 0, None
    for _, begins, at, operation, name in sorted(events, key=lambda event: event[:3]):
        if not begins:
            if at > highest:
                highest, by = at, name
        # An update must come behind all that has ended; a read may see as much as that.
        elif at < highest or at == highest and operation.id is not None and name != by:
            found.append(f"{name} began after {by} had ended, and stands before it")
    return found


def by_search(operations, final):
    """Whether some order of the operations explains the history and the end. Takes for ever with more than a few."""
    done = [operation for operation in operations if not operation.refused]
    certain = [operation for operation in done if operation.end is not None]
    maybe = [operation for operation in done if operation.end is None and operation.id is not None]
    for count in range(len(maybe) + 1):
        for extra in itertools.combinations(maybe, count):
            if explains([], certain + list(extra), (), tuple(final)):
                return True
    return False


def explains(before, left, state, final):
    if not left:
        return state == final
    for operation in left:
        others = [other for other in left if other is not operation]
        if any(other.end is not None and other.end < operation.begin for other in others):
            continue
        if operation.id is not None:
            next_state = state + (operation.id,)
        elif operation.got == state:
            next_state = state
        else:
            continue
        if explains(before, others, next_state, final):
            return True
    return False


def self_check(random, rounds=3000):
    """Both judge small histories alike, good and bad ones."""
    bad = 0
    for _ in range(rounds):
        count = random.randint(1, 5)
        order = [f"u{number}" for number in range(count)]
        operations, clock, state = [], 0.0, []
        for id in order:
            clock += 1
            begin, end = clock - random.random() * 2, clock + random.random() * 2
            state.append(id)
            operations.append(Operation(begin, None if random.random() < 0.2 else end, id=id))
            if random.random() < 0.5:
                operations.append(Operation(clock - random.random(), clock + random.random() * 2, got=tuple(state)))
        final = list(state)
        match random.randint(0, 5):
            case 0:
                random.shuffle(final)
            case 1:
                final.pop(random.randrange(len(final)))
            case 2:
                final.append(random.choice(final))
            case 3:
                random.choice(operations).begin += 3
                for operation in operations:
                    if operation.end is not None and operation.end < operation.begin:
                        operation.end = operation.begin + 0.5
        ours, searched = not faults(operations, final), by_search(operations, final)
        assert ours == searched, f"the checker says {ours}, the search {searched}: {operations} {final} {faults(operations, final)}"
        bad += not searched
    assert rounds * 0.2 < bad < rounds * 0.9, f"{bad} of {rounds} histories were bad; both kinds are needed"
