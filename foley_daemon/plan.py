"""Where the chunks of a clip fall: pure arithmetic in samples and rational seconds."""

from __future__ import annotations

from fractions import Fraction

from foley_daemon.domain import SAMPLE_RATE, Chunk, Plan
from foley_daemon.identity import chunk_seed

_HAIR = Fraction(1, 1000)  # seconds before the picture's end at which its last frame is still on screen
_CLOSEST_FRAMES = Fraction(1, 60)  # seconds; frames nearer than this show the same picture


def plan_chunks(
    duration: Fraction, *, seconds: Fraction, overlap: Fraction, frames: int, render_key: str
) -> Plan:
    """Cover a clip with chunks that share `overlap` with their neighbours.

    The split is even: as few chunks as fit `seconds` each, of one length to the sample. So none is
    longer than asked (a latent diffusion model has a fixed length), and none is a stub (each is
    longer than half of `seconds`, with as much to see as its neighbours).

    Args:
        duration: seconds of the picture, above 0.
        seconds: longest chunk, fades included.
        overlap: what neighbours share, at most a third of `seconds`, so that two fades never meet.
        frames: how many frames each chunk looks at, first and last included; fewer where they would
            lie nearer than 1/60 s.
        render_key: what the seeds are drawn from, see identity.py.

    Raises:
        ValueError: a value is out of its range.
    """
    n_samples, longest, shared = (round(value * SAMPLE_RATE) for value in (duration, seconds, overlap))
    if n_samples < 1 or longest < 1 or frames < 1:
        raise ValueError(
            f"a clip, its chunks and their frames must have some length: got a duration of {duration} s, "
            f"chunks of {seconds} s and {frames} frames"
        )
    if not 0 <= 3 * shared <= longest:
        raise ValueError(
            f"overlap must lie between 0 and a third of the chunk of {seconds} s, got {overlap} s"
        )
    count = max(1, -(-(n_samples - shared) // (longest - shared)))
    to_render = n_samples + (count - 1) * shared
    chunks = []
    for index in range(count):
        first = to_render * index // count - shared * index
        end = to_render * (index + 1) // count - shared * index
        chunks.append(
            Chunk(
                index=index,
                first_sample=first,
                end_sample=end,
                fade_in=shared if index else 0,
                fade_out=shared if index < count - 1 else 0,
                frame_times=_frame_times(first, end, duration, frames),
                seed=chunk_seed(render_key, index),
            )
        )
    return Plan(n_samples, tuple(chunks))


def _frame_times(first: int, end: int, duration: Fraction, frames: int) -> tuple[Fraction, ...]:
    """Evenly spaced seconds in a chunk, the last one inside the picture."""
    start = Fraction(first, SAMPLE_RATE)
    last = min(Fraction(end, SAMPLE_RATE), duration - min(_HAIR, (duration - start) / 2))
    count = min(frames, int((last - start) / _CLOSEST_FRAMES) + 1)
    if count == 1:
        return ((start + last) / 2,)
    return tuple(start + (last - start) * index / (count - 1) for index in range(count))
