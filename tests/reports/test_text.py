"""What people read on a terminal, word for word."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from lrtransfer.reports.judgement import print_judgement
from lrtransfer.statistics.answer import Quality, SchemeAnswer
from lrtransfer.statistics.transfer import Judgement

from . import synthetic
from .hostile import HOSTILE

GOLDEN = """\
             Learning rate with the lowest held-out loss
┏━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━┓
┃ scheme ┃ width ┃ learning rate         ┃ 95 % CI          ┃ status ┃
┡━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━┩
│ μP     │ 128   │ 0.0272 = 2^-5.2       │ 0.0218 to 0.0328 │ ok     │
│ μP     │ 256   │ 0.0266 = 2^-5.23      │ 0.0213 to 0.0321 │ ok     │
│ μP     │ 512   │ 0.0261 = 2^-5.26      │ 0.0209 to 0.0315 │ ok     │
│ μP     │ 1024  │ 0.0256 = 2^-5.29      │ 0.0205 to 0.0308 │ ok     │
├────────┼───────┼───────────────────────┼──────────────────┼────────┤
│ SP     │ 128   │ 0.0272 = 2^-5.2       │ 0.0218 to 0.0328 │ ok     │
│ SP     │ 256   │ ≥ 0.250 = 2^-2        │ –                │ edge   │
│ SP     │ 512   │ ≤ 0.000488 = 2^-11    │ –                │ edge   │
│ SP     │ 1024  │ near 0.000244 = 2^-12 │ –                │ edge   │
└────────┴───────┴───────────────────────┴──────────────────┴────────┘

μP: transfers. The optimum of width 128, used at width 1024, costs 0.21 % of the best
loss there; its whole interval stays below the tolerance of 1 %.
  drift: −0.03 octaves per doubling of width (95 % CI −0.12 to 0.05)
  learning rate for width 8192: 0.0240 = 2^-5.38 (95 % CI 0.0112 to 0.0448)
  regret at width 512: 0.004 % of the best loss (94 % CI 0 to 0.11 %), that is 0.0001
  nats
  regret at width 1024: 0.21 % of the best loss (not bounded above), that is 0.0067 nats
  regret expected at width 8192: 13.9 % of the best loss (95 % CI 6.23 to 28.8 %), that
  is 0.44 nats
  quality: optima scatter about a straight line no more than their intervals explain;
  the rate that the narrower widths predict costs 0.004 % of the best loss at width 512;
  the base's rate is expected to cost 13.9 % of the best loss at width 8192
  the learning rate assumes: the drift bends by no more than about 0.1 octave per
  doubling².
  Width only, 128 to 1024, at 2000 steps and batch 64. A longer horizon, another batch
  size or depth at the target is not covered.

SP: inconclusive. The lowest loss at width 1024 lies at the smallest rate tried.
  learning rate for width 8192: cannot be said from these runs
  regret at width 1024: 2.1 % of the best loss (99 % CI ≥ 0.4 %), that is 0.067 nats
  Width only, 128 to 1024, at 2000 steps and batch 64. A longer horizon, another batch
  size or depth at the target is not covered.
  would settle it: add learning rates below 2^-12 at width 512: 6 runs, about 10 % of
  the training so far
  would settle it: add seeds: 5 per learning rate at width 1024: 2 runs, about 31 % of
  the training so far

SP − μP: drift −0.92 octaves per doubling of width (simultaneous 95 % CI −1.90 to 0.06);
regret at width 1024 +6.09 percentage points (simultaneous 95 % CI 4.11 to 9.74); best
loss at width 1024 +0.0095 nats (simultaneous 95 % CI −0.073 to 0.075).
"""


def say(judgement: Judgement, *, unit: str = "nats") -> str:
    """Return what is printed, without the spaces at the ends of lines."""
    stream = io.StringIO()
    console = Console(file=stream, highlight=False, width=88)
    print_judgement(judgement, target=8192, unit=unit, console=console)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def rich_answer() -> SchemeAnswer:
    """Return an answer with every quantity: measured, expected, open above."""
    base = synthetic.answer("μP")
    measured, open_above, expected = synthetic.REGRETS
    regrets = (measured, replace(open_above, low=0.0, high=None), expected)
    quality = Quality(scatter=0.0, extrapolation=measured, penalty=expected)
    return replace(base, regrets=regrets, quality=quality)


def test_the_terminal_says_this_word_for_word() -> None:
    said = say(synthetic.judgement(rich_answer(), synthetic.edges("SP")))
    assert said == GOLDEN, "the text changed: update GOLDEN and the changelog, or it is a bug"


def test_losses_whose_unit_is_not_known_are_not_called_nats() -> None:
    said = " ".join(say(synthetic.judgement(rich_answer()), unit="in units of the loss").split())
    assert "that is 0.0001 in units of the loss" in said
    assert "nats" not in said


@pytest.mark.parametrize("scatter", [0.0, 0.004, 0.12])
def test_scatter_is_what_the_intervals_do_not_explain(scatter: float) -> None:
    answer = replace(rich_answer(), quality=Quality(scatter, None, None))
    said = " ".join(say(synthetic.judgement(answer)).split())
    amount = "by 0.12 octaves more" if scatter == 0.12 else "no more"
    assert f"quality: optima scatter about a straight line {amount} than their intervals" in said


@pytest.mark.parametrize("name", [text for text in HOSTILE if text.strip() and len(text) < 60])
def test_names_are_printed_as_they_are(name: str) -> None:
    said = say(synthetic.judgement(replace(rich_answer(), scheme=name)))
    assert name.split()[0] in said
