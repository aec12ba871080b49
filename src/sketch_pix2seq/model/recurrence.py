"""An LSTM over packed rows, with its gradient written out.

Packed: the first rows of all sequences, then the second rows, and so on, the longest sequence first, so that no row is
padding; ``counts[t]`` is how many sequences have a row t.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor


def lstm_sequence(
    projected: Tensor,
    constant: Tensor,
    weight: Tensor,
    h: Tensor,
    c: Tensor,
    mask: Tensor | None,
    counts: Sequence[int],
) -> Tensor:
    """Hidden states ``(rows, size)`` of an LSTM over packed rows; the pointwise part in float32.

    projected: ``(rows, 4 size)`` inputs times weights, in the precision that the matrix products are to run in;
    constant: ``(n, 4 size)`` added at every row; weight: ``(4 size, size)``; gates in the order i, f, o, g;
    mask: on the candidate values, ``(rows, size)``, or ``(n, size)`` for all rows of a sequence alike. The gradient is
    one large matrix product instead of one a time step.
    """
    out = cast("Any", _LSTMSequence).apply(projected, constant, weight, h, c, mask, tuple(counts))
    return cast("Tensor", out)


class _LSTMSequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        constant: Tensor,
        weight: Tensor,
        h0: Tensor,
        c0: Tensor,
        mask: Tensor | None,
        counts: tuple[int, ...],
    ) -> Tensor:
        size = weight.shape[1]
        precision = projected.dtype
        rows = projected.shape[0]
        wide = weight.to(precision).t()
        gates = torch.empty(rows, 4 * size, device=weight.device)
        cells = torch.empty(rows, size, device=weight.device)
        tanh_cells = torch.empty_like(cells)
        hidden = torch.empty(rows, size, dtype=precision, device=weight.device)
        constant32 = constant.float()
        h, c = h0.to(precision), c0.float()
        masks = masks_by_step(mask, counts)
        begin = 0
        for step, count in enumerate(counts):
            now = slice(begin, begin + count)
            gate = gates[now]
            torch.add(constant32[:count], torch.addmm(projected[now], h[:count], wide), out=gate)
            candidate = gate[:, 3 * size :]
            candidate.mul_(2)
            gate.sigmoid_()
            candidate.mul_(2).sub_(1)  # tanh(x) = 2 sigmoid(2 x) - 1, and sigmoid is several times as fast
            i, f, o, g = gate.chunk(4, dim=1)
            cell = torch.mul(i, g, out=cells[now])
            if masks is not None:
                cell.mul_(masks[step])
            cell.addcmul_(f, c[:count])
            tanh_cell = torch.mul(cell, 2, out=tanh_cells[now]).sigmoid_().mul_(2).sub_(1)
            hidden[now] = o * tanh_cell
            h, c = hidden[now], cell
            begin += count
        ctx.save_for_backward(weight, h0, c0, mask, gates, cells, tanh_cells, hidden)
        ctx.counts, ctx.precision, ctx.dtypes = counts, precision, (constant.dtype, h0.dtype, c0.dtype)
        return hidden

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, h0, c0, mask, gates, cells, tanh_cells, hidden = ctx.saved_tensors
        counts, precision = ctx.counts, ctx.precision
        size, n = weight.shape[1], len(h0)
        narrow = weight.to(precision)
        out = gradients[0]
        d_gates = torch.empty(gates.shape, dtype=precision, device=weight.device)
        d_constant = torch.zeros(n, 4 * size, device=weight.device)
        d_h = torch.zeros(n, size, device=weight.device)
        d_c = torch.zeros(n, size, device=weight.device)
        masks = masks_by_step(mask, counts)
        end = len(gates)
        for step in range(len(counts) - 1, -1, -1):
            count = counts[step]
            now = slice(end - count, end)
            if step:
                begin = end - count - counts[step - 1]
                c_before = cells[begin : begin + count]
            else:
                c_before = c0.float()
            i, f, o, g = gates[now].chunk(4, dim=1)
            dh = d_h[:count] + out[now]
            dc = d_c[:count]
            tanh_c = tanh_cells[now]
            dc.addcmul_(dh * o, 1 - tanh_c * tanh_c)
            part = torch.empty(count, 4 * size, device=weight.device)
            di, df, do, dg = part.chunk(4, dim=1)
            masked = dc if masks is None else dc * masks[step]
            torch.mul(masked * g, i * (1 - i), out=di)
            torch.mul(dc * c_before, f * (1 - f), out=df)
            torch.mul(dh * tanh_c, o * (1 - o), out=do)
            torch.mul(masked * i, 1 - g * g, out=dg)
            d_constant[:count] += part
            d_gates[now] = part
            d_h[:count] = d_gates[now] @ narrow
            dc.mul_(f)
            end -= count
        previous = _previous_hidden(hidden, h0.to(precision), counts)
        d_weight = (d_gates.t() @ previous).to(weight.dtype)
        constant_type, h_type, c_type = ctx.dtypes
        return d_gates, d_constant.to(constant_type), d_weight, d_h.to(h_type), d_c.to(c_type), None, None


def masks_by_step(mask: Tensor | None, counts: Sequence[int]) -> Sequence[Tensor] | None:
    """The part of a mask that each step's rows have; ``mask`` is ``(rows, size)``, or ``(n, size)`` for all steps."""
    if mask is None:
        return None
    if len(mask) == sum(counts):
        return torch.split(mask, list(counts))
    return [mask[:count] for count in counts]


def last_rows(counts: Tensor) -> Tensor:
    """Where in packed rows the last of each sequence is, ``(n,)``; counts: ``(time,)``, sequences that have a row t."""
    lengths = _lengths(counts)
    return (counts.cumsum(0) - counts)[lengths - 1] + torch.arange(len(lengths), device=counts.device)


def backwards(counts: Tensor) -> Tensor:
    """The order that turns each sequence of packed rows round, ``(rows,)``: the rows are packed alike after it."""
    lengths, begins = _lengths(counts), counts.cumsum(0) - counts
    times = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    sequences = torch.arange(len(times), device=counts.device) - begins[times]
    return begins[lengths[sequences] - 1 - times] + sequences


def _lengths(counts: Tensor) -> Tensor:
    """Rows of each packed sequence, ``(n,)``, the longest first."""
    return (counts[:, None] > torch.arange(int(counts[0]), device=counts.device)).sum(0)


def _previous_hidden(hidden: Tensor, h0: Tensor, counts: Sequence[int]) -> Tensor:
    """For each row the hidden state before it."""
    parts = [h0[: counts[0]]]
    begin = 0
    for now, following in pairwise(counts):
        parts.append(hidden[begin : begin + following])
        begin += now
    return torch.cat(parts)
