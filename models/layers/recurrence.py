"""The last state of an Elman or LSTM layer over a sequence: what torch.nn computes, in less time on a CPU.

Same function and gradients as :class:`torch.nn.RNN` (tanh) and :class:`torch.nn.LSTM` (one layer, zero initial state),
up to rounding. The time is saved by

- one matrix product per step for recurrence, input and bias together: [h, x, 1] times their stacked weights;
- gates by one sigmoid in place, since tanh(z) = 2 sigmoid(2z) - 1 and the 2 is exact in the weights;
- pieces of a batch small enough for the processor's cache, and one product for a piece's weight gradient;
- steps that are shared: sequences that begin with zero vectors (the empty rows above a digit) are in one and the same
  state until their first other vector, so that state is computed once, in a row of its own, and copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

PIECE = 256  # sequences at a time: their gates at one step (256 x 1024 float32) fill one megabyte
ALIGNMENT = 16  # columns of the stacked weights are padded to a multiple of this


def elman_last_state(inputs: Tensor, *weights: Tensor) -> Tensor:
    """The last hidden state (N, hidden) of h' = tanh(W_ih x + b_ih + W_hh h + b_hh), from h = 0.

    ``inputs``: (N, steps, features), which get no gradient. ``weights``: W_ih, W_hh, b_ih, b_hh as torch.nn.RNN has
    them. Any floating dtype, the same for all.
    """
    last: Tensor = _Elman.apply(inputs, *weights)
    return last


def lstm_last_state(inputs: Tensor, *weights: Tensor) -> Tensor:
    """The last hidden state (N, hidden) of torch.nn.LSTM's cell (gates in the order i, f, g, o), from h = c = 0.

    ``inputs``: (N, steps, features), which get no gradient. ``weights``: W_ih, W_hh, b_ih, b_hh as torch.nn.LSTM has
    them. Any floating dtype, the same for all.
    """
    last: Tensor = _Lstm.apply(inputs, *weights)
    return last


@dataclass(frozen=True)
class _Piece:
    """Some sequences of a batch, stacked step after step in ``rows``: the columns are [h, x, 1, zeros].

    ``where``: their places in the batch. At step t the sequences that have begun are rows ``starts[t]`` up to
    ``starts[t] + counts[t]``, those that began first at the front. With ``shared``, row 0 of each step is a sequence of
    zero vectors that is not in the batch; a sequence that begins takes over its state.
    """

    where: Tensor
    rows: Tensor
    starts: list[int]
    counts: list[int]
    shared: bool

    def at(self, buffer: Tensor, step: int) -> Tensor:
        """The rows of a step."""
        return buffer[self.starts[step] : self.starts[step] + self.counts[step]]

    def begin(self, buffer: Tensor, step: int, columns: int) -> Tensor:
        """The state (its first ``columns``) that a step starts from; new sequences take over that of the first row."""
        state = self.at(buffer, step)[:, :columns]
        if step and self.counts[step] > self.counts[step - 1]:
            state[self.counts[step - 1] :] = state[0]
        return state

    def end(self, gradient: Tensor, step: int) -> Tensor:
        """The reverse of :meth:`begin`: the gradient of the rows that were there before ``step``."""
        before = self.counts[step - 1] if step else 0
        if step and self.counts[step] > before:
            gradient[0] += gradient[before:].sum(dim=0)
        return gradient[:before]

    def last(self, buffer: Tensor) -> Tensor:
        """``buffer`` without the shared row, if there is one."""
        return buffer[1:] if self.shared else buffer


def _pieces(inputs: Tensor, hidden: int, columns: int) -> list[_Piece]:
    """The batch in pieces; sequences that begin alike are together."""
    begun = (inputs != 0).any(dim=2)
    begun[:, -1] = True
    first = begun.to(torch.uint8).argmax(dim=1)
    order = first.argsort(stable=True)
    return [_piece(inputs[where], first[where], where, hidden, columns) for where in order.split(PIECE)]


def _piece(inputs: Tensor, first: Tensor, where: Tensor, hidden: int, columns: int) -> _Piece:
    steps, features = inputs.shape[1:]
    shared = bool(first[-1] > 0)
    counts = (first.bincount(minlength=steps).cumsum(0) + int(shared)).tolist()
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    rows = inputs.new_zeros(starts[-1], columns)
    rows[:, hidden + features] = 1
    for step, (start, end) in enumerate(pairwise(starts)):
        rows[start + int(shared) : end, hidden : hidden + features] = inputs[: counts[step] - int(shared), step]
    return _Piece(where, rows, starts, counts, shared)


def _stack(weights: tuple[Tensor, ...]) -> Tensor:
    """[W_hh, W_ih, b] transposed, and zero rows up to a multiple of ALIGNMENT."""
    w_ih, w_hh, b_ih, b_hh = weights
    stacked = torch.cat([w_hh.t(), w_ih.t(), (b_ih + b_hh)[None]])
    return torch.nn.functional.pad(stacked, (0, 0, 0, -len(stacked) % ALIGNMENT))


def _unstack(gradient: Tensor, hidden: int, features: int) -> tuple[Tensor, ...]:
    """The gradients of the four weights, from that of the stacked ones, transposed."""
    bias = gradient[:, hidden + features]
    return gradient[:, hidden : hidden + features], gradient[:, :hidden], bias, bias


def _tanh(doubled: Tensor) -> Tensor:
    """tanh(z) in place, from 2z: torch's sigmoid is several times faster than its tanh on a CPU."""
    return doubled.sigmoid_().mul_(2).sub_(1)


class _Elman(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, inputs: Tensor, *weights: Tensor) -> Tensor:
        hidden, stacked = weights[1].shape[1], 2 * _stack(weights)
        last = inputs.new_empty(len(inputs), hidden)
        pieces = _pieces(inputs, hidden, len(stacked))
        for piece in pieces:
            state = last.new_empty(0)
            for step in range(len(piece.counts)):
                if step:
                    piece.at(piece.rows, step)[: len(state), :hidden] = state
                    piece.begin(piece.rows, step, hidden)
                state = _tanh(piece.at(piece.rows, step) @ stacked)
            last[piece.where] = piece.last(state)
        ctx.pieces, ctx.features = pieces, inputs.shape[2]
        ctx.save_for_backward(last, weights[1])
        return last

    @staticmethod
    @custom_bwd(device_type="cpu")
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        last, w_hh = ctx.saved_tensors
        hidden = w_hh.shape[1]
        total = torch.zeros(hidden, ctx.pieces[0].rows.shape[1], dtype=last.dtype)
        for piece in ctx.pieces:
            inner = piece.rows.new_empty(len(piece.rows), hidden)
            state, arriving = last[piece.where], gradient[piece.where]
            if piece.shared:
                state, arriving = (torch.nn.functional.pad(tensor, (0, 0, 1, 0)) for tensor in (state, arriving))
            for step in reversed(range(len(piece.counts))):
                now = piece.at(inner, step)
                torch.ops.aten.tanh_backward.grad_input(arriving, state, grad_input=now)
                if step:
                    state = piece.at(piece.rows, step)[: piece.counts[step - 1], :hidden]
                    arriving = piece.end(now @ w_hh, step)
            total.addmm_(inner.t(), piece.rows)
        return None, *_unstack(total, hidden, ctx.features)


class _Lstm(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx: Any, inputs: Tensor, *weights: Tensor) -> Tensor:
        hidden, stacked = weights[1].shape[1], _stack(weights)
        stacked[:, 2 * hidden : 3 * hidden] *= 2
        last = inputs.new_empty(len(inputs), hidden)
        pieces = _pieces(inputs, hidden, len(stacked))
        kept = []
        for piece in pieces:
            tape = _Tape.empty(piece, hidden)
            for step in range(len(piece.counts)):
                state = _lstm_step(piece, tape, step, stacked)
            last[piece.where] = piece.last(state)
            kept.append(tape)
        ctx.pieces, ctx.tapes, ctx.features = pieces, kept, inputs.shape[2]
        ctx.save_for_backward(stacked)
        return last

    @staticmethod
    @custom_bwd(device_type="cpu")
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (stacked,) = ctx.saved_tensors
        hidden = stacked.shape[1] // 4
        back = stacked[:hidden].t().contiguous()
        total = torch.zeros_like(stacked.t())
        for piece, tape in zip(ctx.pieces, ctx.tapes, strict=True):
            inner = torch.empty_like(tape.gates)
            arriving = gradient[piece.where]
            if piece.shared:
                arriving = torch.nn.functional.pad(arriving, (0, 0, 1, 0))
            cell = torch.zeros_like(arriving)
            for step in reversed(range(len(piece.counts))):
                now = _lstm_step_back(piece, tape, step, arriving, cell, inner)
                if step:
                    arriving, cell = piece.end(now @ back, step), piece.end(cell, step)
            total.addmm_(inner.t(), piece.rows)
        total[2 * hidden : 3 * hidden] *= 2
        return None, *_unstack(total, hidden, ctx.features)


@dataclass(frozen=True)
class _Tape:
    """What an LSTM's backward pass needs of every step, stacked as in :class:`_Piece`.

    ``gates``: sigmoids of the four gates' inputs (of twice the input for g). ``before``: the cell's state that a step
    starts from. ``candidate``: the value g. ``squashed``: tanh of the cell's state after the step.
    """

    gates: Tensor
    before: Tensor
    candidate: Tensor
    squashed: Tensor

    @classmethod
    def empty(cls, piece: _Piece, hidden: int) -> _Tape:
        before, candidate, squashed = (piece.rows.new_empty(len(piece.rows), hidden) for _ in range(3))
        piece.at(before, 0).zero_()
        return cls(piece.rows.new_empty(len(piece.rows), 4 * hidden), before, candidate, squashed)


def _lstm_step(piece: _Piece, tape: _Tape, step: int, stacked: Tensor) -> Tensor:
    """Fill the tape at ``step``; gives the hidden state after it, which is also put where the next step reads it."""
    hidden = tape.before.shape[1]
    gates, candidate, squashed = (piece.at(buffer, step) for buffer in (tape.gates, tape.candidate, tape.squashed))
    before = piece.begin(tape.before, step, hidden)
    if step:
        piece.begin(piece.rows, step, hidden)
    torch.mm(piece.at(piece.rows, step), stacked, out=gates)
    i, f, g, o = gates.sigmoid_().view(-1, 4, hidden).unbind(1)
    torch.mul(g, 2, out=candidate).sub_(1)
    ended = step + 1 == len(piece.counts)
    after = torch.empty_like(before) if ended else piece.at(tape.before, step + 1)[: len(before)]
    torch.mul(f, before, out=after).addcmul_(i, candidate)
    _tanh(torch.mul(after, 2, out=squashed))
    state = torch.empty_like(before) if ended else piece.at(piece.rows, step + 1)[: len(before), :hidden]
    return torch.mul(o, squashed, out=state)


def _lstm_step_back(piece: _Piece, tape: _Tape, step: int, arriving: Tensor, cell: Tensor, inner: Tensor) -> Tensor:
    """The gradient of the gates' inputs at ``step``, written to ``inner``.

    ``cell``, the gradient of the cell's state after the step, becomes that of the state before it.
    """
    hidden = cell.shape[1]
    gates, squashed, now = (piece.at(buffer, step) for buffer in (tape.gates, tape.squashed, inner))
    i, f, _, o = gates.view(-1, 4, hidden).unbind(1)
    by_gate = now.view(-1, 4, hidden)
    torch.mul(arriving, squashed, out=by_gate[:, 3])
    through = arriving * o
    cell += torch.ops.aten.tanh_backward.grad_input(through, squashed, grad_input=through)
    torch.mul(cell, piece.at(tape.candidate, step), out=by_gate[:, 0])
    torch.mul(cell, piece.at(tape.before, step), out=by_gate[:, 1])
    torch.mul(cell, i, out=by_gate[:, 2]).mul_(2)
    cell *= f
    torch.ops.aten.sigmoid_backward.grad_input(now, gates, grad_input=now)
    return now
