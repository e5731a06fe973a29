"""Blocks: every run once, in order, with those of its kind alone."""

from dataclasses import replace

from lrtransfer.executors.blocks import split_into_blocks
from lrtransfer.study.study import Study
from tests.studies import run_of


def test_blocks_hold_runs_of_one_kind(small: Study) -> None:
    run = run_of(small)
    runs = [replace(run, width=n, seed=seed) for n in (48, 32) for seed in range(3)]
    blocks = list(split_into_blocks(runs, size=2))
    assert [len(block) for block in blocks] == [2, 1, 2, 1]
    assert [{spec.width for spec in block} for block in blocks] == [{48}, {48}, {32}, {32}]
    assert [spec for block in split_into_blocks(runs) for spec in block] == runs


def test_runs_of_another_order_keep_it_within_their_block(small: Study) -> None:
    run = run_of(small)
    runs = [replace(run, width=n, seed=seed) for seed in (2, 0, 1) for n in (48, 32)]
    first, second = split_into_blocks(runs, size=8)
    assert [spec.width for spec in first + second] == [48] * 3 + [32] * 3
    assert [spec.seed for spec in first] == [spec.seed for spec in second] == [2, 0, 1]


def test_no_runs_are_no_blocks() -> None:
    assert list(split_into_blocks([])) == []
