"""Ink to the centre lines of its strokes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.formats.picture_page import Mask, depth_of
from sketch_pix2seq.sketch import DoubleArray, FloatArray

End: TypeAlias = tuple[int, int]
"""A line's number, and 0 for its first end or 1 for its last."""

_MARGIN = 1.1
"""How far beside a corner or fork its blot bends the centre line, in half widths of the line."""


@dataclass
class _Branch:
    """A stretch of skeleton without forks, between two nodes (-1, -1 for a loop of its own)."""

    ends: tuple[int, int]
    path: DoubleArray
    """``(n, 2)`` x, y, from the first end to the second, both included."""

    @property
    def length(self) -> float:
        return float(np.hypot(*np.diff(self.path, axis=0).T).sum())

    def from_end(self, which: int) -> DoubleArray:
        """The path as it leaves its first (0) or second (1) end."""
        return self.path if which == 0 else self.path[::-1]


@dataclass
class _Skeleton:
    """The centre lines as a graph."""

    nodes: DoubleArray
    """``(n, 2)`` x, y."""
    radius: FloatArray
    """Half the width of the ink at each node."""
    branches: list[_Branch]
    dots: list[DoubleArray]
    depth: FloatArray
    """Of the ink, ``(h, w)``."""

    def at_nodes(self) -> dict[int, list[End]]:
        """The (branch, end) pairs that meet at each node."""
        meeting: dict[int, list[End]] = {}
        for index, branch in enumerate(self.branches):
            for which, node in enumerate(branch.ends):
                if node >= 0:
                    meeting.setdefault(node, []).append((index, which))
        return meeting


def trace(ink: Mask) -> list[DoubleArray]:
    """Centre lines of strokes, each ``(n, 2)`` in pixels, as long as their direction allows."""
    thin = thinned(ink)
    if not thin.any():
        return []
    depth = depth_of(ink)
    width = 2.0 * float(np.median(depth[thin]))
    skeleton = _contract(_graph(thin, depth))
    _prune(skeleton)
    lines = [_smooth(_sharpened(line, depth, 0.5 * width)) for line in _chains(skeleton, 0.5 * width)]
    return _join_gaps([*lines, *skeleton.dots], width)


def outlines(fills: Mask) -> list[DoubleArray]:
    """Closed lines around filled areas and their holes, each ``(n, 2)`` in pixels."""
    found, _ = cv2.findContours(fills.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    loops = [loop.reshape(-1, 2).astype(np.float64) for loop in found if cv2.contourArea(loop) >= 16.0]
    return [_smooth(np.concatenate([loop, loop[:1]]), sigma=1.5) for loop in loops]


def thinned(ink: Mask) -> Mask:
    """Ink thinned to lines one pixel wide (Guo & Hall 1989, "Parallel thinning with two-subiteration algorithms")."""
    picture = np.pad(ink.astype(np.uint8), 1)
    while True:
        before = int(picture.sum())
        for table in _THINNING:
            picture[table[cv2.filter2D(picture, -1, _PLACES, borderType=cv2.BORDER_CONSTANT)]] = 0
        if int(picture.sum()) == before:
            return np.asarray(picture[1:-1, 1:-1] > 0)


def _thinning_tables() -> tuple[Mask, Mask]:
    """For each half step, and each of 256 neighbourhoods, whether the pixel in its middle goes.

    Bit k of a neighbourhood is the neighbour p[k + 2] of the paper: clockwise from the one above.
    """
    tables = np.zeros((2, 256), bool)
    for code in range(256):
        p2, p3, p4, p5, p6, p7, p8, p9 = (bool(code >> k & 1) for k in range(8))
        runs = (not p2 and (p3 or p4)) + (not p4 and (p5 or p6)) + (not p6 and (p7 or p8)) + (not p8 and (p9 or p2))
        first = (p9 or p2) + (p3 or p4) + (p5 or p6) + (p7 or p8)
        second = (p2 or p3) + (p4 or p5) + (p6 or p7) + (p8 or p9)
        if runs == 1 and 2 <= min(first, second) <= 3:
            tables[0, code] = not ((p6 or p7 or not p9) and p8)
            tables[1, code] = not ((p2 or p3 or not p5) and p4)
    return tables[0], tables[1]


_PLACES = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
_THINNING = _thinning_tables()


def _sharpened(line: DoubleArray, depth: FloatArray, half: float) -> DoubleArray:
    """A line with its corners restored, which the middle of thick ink cuts: where the ink swells on a bend, the
    straight runs before and after it are led on to where they meet. ``half``: half of the usual stroke width."""
    inside = depth[pixels_at(line, depth)]
    half = min(float(np.median(inside)), 1.3 * half)
    if half < 2.5 or len(line) < 6:
        return line
    closed = _closed(line)
    if closed:
        start = int(np.argmin(inside))
        line, inside = np.roll(line[:-1], -start, axis=0), np.roll(inside[:-1], -start)
        line, inside = np.concatenate([line, line[:1]]), np.append(inside, inside[:1])
    reach = math.ceil(2.0 * half)
    pieces: list[DoubleArray] = []
    begin = 0
    for first, last in _swellings(inside, half):
        before, after = line[max(begin, first - reach) : first + 1], line[last : last + reach + 1]
        corner = _corner(before, after[::-1], half)
        if corner is None or depth[pixels_at(corner[None], depth)][0] < 0.35 * half:
            continue
        pieces += [line[begin : first + 1], corner[None]]
        begin = last
    return np.concatenate([*pieces, line[begin:]])


def pixels_at(points: DoubleArray, depth: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the pixels of a picture in which points x, y lie."""
    x, y = np.rint(points).astype(np.int64).T
    return np.clip(y, 0, depth.shape[0] - 1), np.clip(x, 0, depth.shape[1] - 1)


def _swellings(inside: FloatArray, half: float) -> Iterator[tuple[int, int]]:
    """First and last points of the stretches where ink is thicker than the line, with what they bend around them."""
    swollen = np.flatnonzero(inside > 1.12 * half + 0.3)
    for run in np.split(swollen, np.flatnonzero(np.diff(swollen) > half) + 1) if len(swollen) else ():
        first, last = int(run[0]) - math.ceil(_MARGIN * half), int(run[-1]) + math.ceil(_MARGIN * half)
        if first >= 2 and last <= len(inside) - 3:
            yield first, last


def _corner(before: DoubleArray, after: DoubleArray, half: float) -> DoubleArray | None:
    """Where two runs that lead to a bend (their last points next to it) meet; None where there is no corner."""
    if min(len(before), len(after)) < 3:
        return None
    a, b = before[-1], after[-1]
    u, v = _unit(a - before[0]), _unit(b - after[0])
    cross = float(u[0] * v[1] - u[1] * v[0])
    if float(u @ v) < -0.94 or abs(cross) < 0.05:
        return None
    s, t = np.linalg.solve(np.stack([u, -v], axis=1), b - a)
    return a + s * u if -half <= min(s, t) and max(s, t) <= 8.0 * half else None


def _unit(vector: DoubleArray) -> DoubleArray:
    norm = float(np.hypot(*vector))
    return vector / norm if norm > 0 else np.zeros(2)


_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))


def _neighbours(thin: Mask) -> tuple[DoubleArray, list[list[int]]]:
    """Pixels of a skeleton ``(n, 2)`` x, y, and the neighbours of each: no diagonal that two straight steps replace."""
    framed = np.pad(thin, 1)
    ys, xs = np.nonzero(framed)
    number = np.full(framed.shape, -1, np.int64)
    number[ys, xs] = np.arange(len(xs))
    table = np.full((len(xs), 8), -1, np.int64)
    for column, (dy, dx) in enumerate(_STEPS):
        found = number[ys + dy, xs + dx]
        if dx and dy:
            found = np.where(framed[ys + dy, xs] | framed[ys, xs + dx], -1, found)
        table[:, column] = found
    return np.stack([xs - 1, ys - 1], axis=1).astype(np.float64), [[n for n in row if n >= 0] for row in table.tolist()]


def _graph(thin: Mask, depth: FloatArray) -> _Skeleton:
    points, neighbours = _neighbours(thin)
    node_of = [-1] * len(points)
    groups: list[list[int]] = []
    for index, near in enumerate(neighbours):
        if len(near) == 2 or len(near) == 0 or node_of[index] >= 0:
            continue
        node_of[index] = len(groups)
        group = [index]
        if len(near) > 2:
            for member in group:
                for other in neighbours[member]:
                    if len(neighbours[other]) > 2 and node_of[other] < 0:
                        node_of[other] = len(groups)
                        group.append(other)
        groups.append(group)
    nodes = np.array([points[group].mean(axis=0) for group in groups]).reshape(-1, 2)
    radius = np.array([max(depth[int(y), int(x)] for x, y in points[group]) for group in groups], np.float32)

    branches: list[_Branch] = []
    walked: set[tuple[int, int]] = set()
    passed = [len(near) != 2 for near in neighbours]
    for start, node in enumerate(node_of):
        for first in neighbours[start] if node >= 0 else ():
            if (start, first) in walked or node_of[first] == node:
                continue
            path = _walk(start, first, neighbours, node_of)
            walked.update([(path[0], path[1]), (path[-1], path[-2])])
            for index in path[1:-1]:
                passed[index] = True
            last = node_of[path[-1]]
            whole = np.concatenate([nodes[node : node + 1], points[path[1:-1]], nodes[last : last + 1]])
            branches.append(_Branch((node, last), whole))
    for start, done in enumerate(passed):
        if not done:
            node_of[start] = 0
            loop = _walk(start, neighbours[start][0], neighbours, node_of)
            for index in loop:
                passed[index] = True
            branches.append(_Branch((-1, -1), points[loop]))
    # A dot is a dab one pixel long: renderers leave no ink for a stroke of one point.
    dots = [points[index] + [[-0.5, 0.0], [0.5, 0.0]] for index, near in enumerate(neighbours) if not near]
    return _Skeleton(nodes, radius, branches, dots, depth)


def _walk(start: int, first: int, neighbours: list[list[int]], node_of: list[int]) -> list[int]:
    """Pixels from ``start`` through ``first`` on to the next node."""
    path = [start, first]
    while node_of[path[-1]] < 0:
        a, b = neighbours[path[-1]]
        path.append(b if a == path[-2] else a)
    return path


def _contract(skeleton: _Skeleton) -> _Skeleton:
    """Forks joined by a bridge shorter than the line is wide are one crossing."""
    owner = list(range(len(skeleton.nodes)))

    def find(node: int) -> int:
        while owner[node] != node:
            node = owner[node]
        return node

    degree = {node: len(ends) for node, ends in skeleton.at_nodes().items()}
    bridges: set[int] = set()
    for index, branch in enumerate(skeleton.branches):
        a, b = branch.ends
        if a < 0 or min(degree[a], degree[b]) < 3:
            continue
        if a != b and branch.length <= 1.4 * max(skeleton.radius[a], skeleton.radius[b]):
            bridges.add(index)
            owner[find(a)] = find(b)
    groups: dict[int, list[int]] = {}
    for node in range(len(skeleton.nodes)):
        groups.setdefault(find(node), []).append(node)
    nodes = skeleton.nodes.copy()
    radius = skeleton.radius.copy()
    for root, members in groups.items():
        nodes[root] = skeleton.nodes[members].mean(axis=0)
        radius[root] = skeleton.radius[members].max()
    branches = []
    for index, branch in enumerate(skeleton.branches):
        if index in bridges:
            continue
        if branch.ends[0] < 0:
            branches.append(branch)
            continue
        a, b = find(branch.ends[0]), find(branch.ends[1])
        path = np.concatenate([nodes[a : a + 1], branch.path[1:-1], nodes[b : b + 1]])
        if a != b or branch.length > 3.0 * radius[a]:
            branches.append(_Branch((a, b), path))
    return _Skeleton(nodes, radius, branches, skeleton.dots, skeleton.depth)


def _prune(skeleton: _Skeleton) -> None:
    """Take away spurs: free ends that reach no farther than the edge of the line they grow from. Shortest first."""
    while True:
        meeting = skeleton.at_nodes()
        spurs = []
        for index, branch in enumerate(skeleton.branches):
            if branch.ends[0] < 0:
                continue
            degrees = [len(meeting[node]) for node in branch.ends]
            if min(degrees) == 1 and max(degrees) > 2:
                fork = branch.ends[degrees.index(max(degrees))]
                tip = branch.path[-1] if branch.ends[0] == fork else branch.path[0]
                reach = branch.length + float(skeleton.depth[pixels_at(tip[None], skeleton.depth)][0])
                if reach <= 1.75 * skeleton.radius[fork] + 3.0:
                    spurs.append((branch.length, index))
        if not spurs:
            return
        del skeleton.branches[min(spurs)[1]]


def _chains(skeleton: _Skeleton, half: float) -> Iterator[DoubleArray]:
    """Branches joined at each fork with the one that continues straightest. ``half``: half of the usual width."""
    partner: dict[End, End] = {}
    paths = [branch.path for branch in skeleton.branches]
    for node, ends in skeleton.at_nodes().items():
        if len(ends) == 2:
            partner[ends[0]], partner[ends[1]] = ends[1], ends[0]
        if len(ends) <= 2:
            continue
        leads = [_lead(skeleton, end, node, half) for end in ends]
        through = list(_straightest([lead.heading for lead in leads]))
        for a, b in through:
            partner[ends[a]], partner[ends[b]] = ends[b], ends[a]
        middle = None if through else _meeting_point(skeleton, node, leads, half)
        for (index, which), lead in zip(ends, leads, strict=True):
            tip = None if (index, which) in partner else middle
            if (index, which) not in partner and through:
                tip = _landing(lead, leads[through[0][0]].point, leads[through[0][1]].point)
            paths[index] = _cleared(paths[index], which, lead.point, tip)
    free = [(i, e) for i, b in enumerate(skeleton.branches) if b.ends[0] >= 0 for e in (0, 1) if (i, e) not in partner]
    yield from _linked(paths, partner, free)


@dataclass(frozen=True)
class _Lead:
    """How a branch leaves a fork, where it is clear of the blot that lines make where they meet."""

    point: DoubleArray
    heading: DoubleArray
    """Unit vector away from the fork."""


def _lead(skeleton: _Skeleton, end: End, node: int, half: float) -> _Lead:
    path = skeleton.branches[end[0]].from_end(end[1])
    distance = np.hypot(*(path - skeleton.nodes[node]).T)
    inside = skeleton.depth[pixels_at(path, skeleton.depth)]
    narrow = (distance >= 0.9 * skeleton.radius[node]) & (inside <= 1.12 * half + 0.3)
    first = int(np.argmax(narrow)) if narrow.any() else len(path) - 1
    if inside[:first].max(initial=0.0) > 1.12 * half + 0.3:
        first += math.ceil(_MARGIN * half)
    first = max(0, min(first, len(path) - 1, math.ceil(0.5 * len(path))))
    ahead = max(8, math.ceil(1.5 * half))
    last = min(len(path) - 1, max(first + min(ahead, 8), min(first + ahead, len(path) - 1 - first)))
    start = path[first] if last > first else skeleton.nodes[node]
    return _Lead(path[first], _unit(path[last] - start))


def _straightest(headings: Sequence[DoubleArray]) -> Iterator[tuple[int, int]]:
    """Pairs of headings that continue each other across a fork, the straightest first."""
    turns = sorted((float(headings[a] @ headings[b]), a, b) for a, b in combinations(range(len(headings)), 2))
    taken: set[int] = set()
    for opposite, a, b in turns:
        if opposite < -0.5 and not taken & {a, b}:
            taken |= {a, b}
            yield a, b


def _meeting_point(skeleton: _Skeleton, node: int, leads: Sequence[_Lead], half: float) -> DoubleArray:
    """The point nearest to all lines that lead to a fork (least squares), or the fork, where that is off the ink."""
    across = [np.eye(2) - np.outer(lead.heading, lead.heading) for lead in leads]
    system = np.sum(across, axis=0)
    fork: DoubleArray = skeleton.nodes[node]
    if np.linalg.eigvalsh(system)[0] < 0.1:
        return fork
    point = np.linalg.solve(system, np.sum([a @ lead.point for a, lead in zip(across, leads, strict=True)], axis=0))
    off = float(np.hypot(*(point - skeleton.nodes[node])))
    on_ink = skeleton.depth[pixels_at(point[None], skeleton.depth)][0] > 0.35 * half
    return np.asarray(point) if on_ink and off < 3.5 * half else fork


def _landing(lead: _Lead, start: DoubleArray, end: DoubleArray) -> DoubleArray:
    """Where a line that ends at another, which passes straight from ``start`` to ``end``, meets it."""
    along = end - start
    cross = float(along[0] * lead.heading[1] - along[1] * lead.heading[0])
    away = lead.point - start
    if abs(cross) < 0.2 * float(np.hypot(*along)):  # nearly parallel: the nearest point
        share = float(away @ along) / max(float(along @ along), 1e-9)
    else:
        share = float(away[0] * lead.heading[1] - away[1] * lead.heading[0]) / cross
    return start + min(max(share, 0.0), 1.0) * along


def _linked(paths: Sequence[DoubleArray], partner: Mapping[End, End], free: Sequence[End]) -> Iterator[DoubleArray]:
    """Paths strung together from end to partner end, each from a free end on; what no free end leads to is a loop."""
    done: set[int] = set()
    for start in [*free, *((index, 0) for index in range(len(paths)))]:
        if start[0] in done:
            continue
        index, which = start
        pieces: list[DoubleArray] = []
        while index not in done:
            done.add(index)
            pieces.append(paths[index] if which == 0 else paths[index][::-1])
            onward = partner.get((index, 1 - which))
            if onward is None:
                break
            index, which = onward
        line = np.concatenate(pieces)
        yield line if start in free else np.concatenate([line, line[:1]])


def _cleared(path: DoubleArray, which: int, start: DoubleArray, tip: DoubleArray | None) -> DoubleArray:
    """A path from its point ``start`` on, without what is before it in a blot; led to ``tip`` where there is one."""
    outward = path if which == 0 else path[::-1]
    outward = outward[int(np.argmin(np.hypot(*(outward - start).T))) :]
    if tip is not None:
        outward = np.concatenate([tip[None], outward])
    return outward if which == 0 else outward[::-1]


def _smooth(line: DoubleArray, sigma: float = 2.5) -> DoubleArray:
    """Points a pixel apart, the pixel stairs smoothed away; ends stay, loops stay closed."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(2, math.ceil(along[-1]) + 1)
    at = np.linspace(0.0, along[-1], count)
    even = np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)
    reach = min(math.ceil(3 * sigma), count - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    if np.array_equal(line[0], line[-1]):
        padded = np.concatenate([even[-reach - 1 : -1], even, even[1 : reach + 1]])
    else:
        before, after = 2 * even[0] - even[reach:0:-1], 2 * even[-1] - even[-2 : -reach - 2 : -1]
        padded = np.concatenate([before, even, after])
    return np.stack([np.convolve(padded[:, axis], weights, "valid") for axis in (0, 1)], axis=1)


def _join_gaps(lines: list[DoubleArray], width: float) -> list[DoubleArray]:
    """Lines whose ends nearly meet and point at each other become one, the nearest ends first."""
    gap = 1.2 * width + 3.0
    open_lines = [len(line) > 2 and not _closed(line) for line in lines]
    opened = [line for line, is_open in zip(lines, open_lines, strict=True) if is_open]
    ends = [(index, which) for index in range(len(opened)) for which in (0, 1)]
    tips = np.array([opened[index][-which] for index, which in ends]).reshape(-1, 2)
    apart = np.hypot(*(tips[:, None] - tips[None]).transpose(2, 0, 1))
    partner: dict[End, End] = {}
    for n, m in sorted(np.argwhere(np.triu(apart <= gap, 1)).tolist(), key=lambda pair: float(apart[pair[0], pair[1]])):
        a, b = ends[n], ends[m]
        if a in partner or b in partner:
            continue
        if _meet(opened[a[0]], a[1], opened[b[0]], b[1], same=a[0] == b[0], near=0.5 * width):
            partner[a], partner[b] = b, a
    free = [end for end in ends if end not in partner]
    return [
        *_linked(opened, partner, free),
        *(line for line, is_open in zip(lines, open_lines, strict=True) if not is_open),
    ]


def _closed(line: DoubleArray) -> bool:
    """Whether a line ends where it began."""
    return bool(np.array_equal(line[0], line[-1]))


def _meet(a: DoubleArray, end_a: int, b: DoubleArray, end_b: int, *, same: bool, near: float) -> bool:
    """Whether the gap from an end of ``a`` to an end of ``b`` (0 first, 1 last) continues both lines."""
    jump = b[-end_b] - a[-end_a]
    distance = float(np.hypot(*jump))
    if same and len(a) < 4 * max(distance, 6.0):
        return False
    out_a, out_b = _outward(a, end_a), _outward(b, end_b)
    if distance <= near:
        return bool(out_a @ out_b < 0.0)
    return bool(out_a @ jump > 0.7 * distance and -(out_b @ jump) > 0.7 * distance)


def _outward(line: DoubleArray, end: int) -> DoubleArray:
    """Unit vector in which a line leaves its first (0) or last (1) point."""
    reach = min(9, len(line))
    vector = line[0] - line[reach - 1] if end == 0 else line[-1] - line[-reach]
    norm = float(np.hypot(*vector))
    return vector / norm if norm > 0 else np.zeros(2)


def in_drawing_order(lines: list[DoubleArray]) -> list[FloatArray]:
    """Large lines first, then details; each group from the top left on, always to the nearest free end."""
    lengths = [float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines]
    limit = 0.4 * max(lengths)
    pen = np.min([line.min(axis=0) for line in lines], axis=0)
    ordered: list[FloatArray] = []
    for group in (
        [line for line, length in zip(lines, lengths, strict=True) if length >= limit],
        [line for line, length in zip(lines, lengths, strict=True) if length < limit],
    ):
        while group:
            starts = [_nearest_start(line, pen) for line in group]
            chosen = min(range(len(group)), key=lambda n: starts[n][0])
            line = _started(group.pop(chosen), starts[chosen][1])
            pen = line[-1]
            ordered.append(line.astype(np.float32))
    return ordered


def _nearest_start(line: DoubleArray, pen: DoubleArray) -> tuple[float, int]:
    """Distance from the pen to where a line can start, and that index: either end, or any point of a loop."""
    distance = np.hypot(*(line - pen).T)
    index = int(np.argmin(distance)) if _closed(line) else (0 if distance[0] <= distance[-1] else len(line) - 1)
    return float(distance[index]), index


def _started(line: DoubleArray, index: int) -> DoubleArray:
    if _closed(line):
        return np.concatenate([line[index:-1], line[: index + 1]])
    return line if index == 0 else line[::-1]
