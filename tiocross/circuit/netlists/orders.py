"""The one order in which lines are met along all others."""

import heapq


def common_order(sequences, places):
    """All of ``places`` in an order that every sequence of groups keeps to, the first in the file first; None where there is
    none."""
    after, n_before = {each: set() for each in places}, dict.fromkeys(places, 0)
    for groups in sequences:
        for group, following in zip(groups, groups[1:]):
            for each in group:
                for other in following:
                    if other not in after[each]:
                        after[each].add(other)
                        n_before[other] += 1
    ready, order = [(places[each], each) for each, n in n_before.items() if n == 0], []
    heapq.heapify(ready)
    while ready:
        each = heapq.heappop(ready)[1]
        order.append(each)
        for other in after[each]:
            n_before[other] -= 1
            if n_before[other] == 0:
                heapq.heappush(ready, (places[other], other))
    return order if len(order) == len(places) else None
