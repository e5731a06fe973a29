"""Which setting of the controlled variables is judged, where runs have several.

G groups, each a scheme and a size; P pairs of a group and a setting that it has. One setting that
all sizes have is best; else one in which all but the lengths is the same; else each its usual one.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ...statistics.curves.columns import BoolArray
from ...statistics.table import Int64Array
from .attempts import Attempts
from .cells import combine_codes, encode

RATES_OF_A_CURVE = 3  # fewer show no optimum


@dataclass(frozen=True, eq=False, kw_only=True)
class Offers:
    """The settings that groups have.

    Attributes:
        group: Group of each pair, shape (P,).
        setting: Its setting, shape (P,).
        part: The setting but for what may differ, shape (P,).
        runs: How many runs it has at different rates and seeds, shape (P,).
        rates: How many rates, shape (P,).
        rank: Place of its setting among all, in the order of their values, shape (P,).
    """

    group: Int64Array
    setting: Int64Array
    part: Int64Array
    runs: Int64Array
    rates: Int64Array
    rank: Int64Array

    def take(self, pairs: BoolArray) -> "Offers":
        """Return some of the pairs."""
        return replace(self, **{name: values[pairs] for name, values in vars(self).items()})


def list_offers(attempts: Attempts, lengths: Collection[str]) -> Offers:
    """Return the settings that groups have, by the runs that ended.

    Arguments:
        attempts: The runs.
        lengths: Fields that may differ where no setting is common to all.
    """
    ended = attempts.take(~attempts.is_diverged)
    pair = combine_codes(ended.group, ended.setting)
    first = np.unique(pair, return_index=True)[1]
    fixed = [encode(values) for name, values in ended.controlled.items() if name not in lengths]
    part = combine_codes(*fixed) if fixed else np.zeros(len(ended), dtype=np.int64)
    order = [np.nan_to_num(values[first]) for values in ended.controlled.values()]
    rank = np.unique(np.stack(order), axis=1, return_inverse=True)[1] if order else part[first]
    rate = combine_codes(pair, encode(ended.lr))
    return Offers(
        # Codes of all runs, for those that ended have codes of their own.
        group=attempts.group[~attempts.is_diverged][first],
        setting=attempts.setting[~attempts.is_diverged][first],
        part=part[first],
        runs=_count_distinct(pair, combine_codes(rate, encode(ended.seed))),
        rates=_count_distinct(pair, rate),
        rank=rank.reshape(-1),
    )


def choose_settings(attempts: Attempts, offers: Offers) -> tuple[Int64Array, BoolArray]:
    """Return the setting judged of every group.

    Arguments:
        attempts: The runs.
        offers: The settings that groups have.

    Returns:
        The settings, shape (G,), -1 where no run ended; and whether each is the usual one, of most
        runs, shape (G,).
    """
    usual = np.full(int(attempts.group.max(initial=-1)) + 1, -1)
    _assign_best(usual, offers)
    chosen = usual.copy()
    if not _assign_common(chosen, offers, offers.setting):
        scheme = np.zeros(len(usual), dtype=np.int64)
        scheme[attempts.group] = attempts.scheme
        for code in np.unique(scheme[offers.group]):
            own = offers.take(scheme[offers.group] == code)
            if not _assign_common(chosen, own, own.setting):
                _assign_common(chosen, own, own.part)
    return chosen, chosen == usual


def find_widest(offers: Offers) -> tuple[int, int] | None:
    """Return the setting with a curve in most groups, and in how many; None if in one at most."""
    curves = offers.take(offers.rates >= RATES_OF_A_CURVE)
    if not len(curves.setting):
        return None
    groups = np.bincount(curves.setting)
    runs = np.bincount(curves.setting, weights=curves.runs)
    best = int(np.lexsort((runs, groups))[-1])
    return (best, int(groups[best])) if groups[best] > 1 else None


def _assign_common(chosen: Int64Array, offers: Offers, key: Int64Array) -> bool:
    """Give all groups their best setting with the one key that all have, if there is one."""
    groups, curves = len(np.unique(offers.group)), offers.rates >= RATES_OF_A_CURVE
    offers, key = offers.take(curves), key[curves]
    if not len(key):
        return False
    pairs = np.unique(combine_codes(key, offers.group), return_index=True)[1]
    groups_of = np.bincount(key[pairs])
    best, most = None, (0.0, 0)
    for code in np.flatnonzero(groups_of == groups):
        among = offers.take(key == code)
        kept = np.zeros(len(chosen))
        np.maximum.at(kept, among.group, among.runs)
        if (found := (float(kept.sum()), int(among.rank.max()))) > most:
            best, most = among, found
    if best is not None:
        _assign_best(chosen, best)
    return best is not None


def _assign_best(chosen: Int64Array, offers: Offers) -> None:
    """Give every group its setting of most runs, of equals the one with the largest values."""
    order = np.lexsort((offers.rank, offers.runs))
    chosen[offers.group[order]] = offers.setting[order]  # of several the last one stays


def _count_distinct(pairs: Int64Array, codes: Int64Array) -> Int64Array:
    """Return how many distinct codes there are of each pair, shape (P,)."""
    return np.bincount(pairs[np.unique(codes, return_index=True)[1]])
