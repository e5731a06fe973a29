"""The colours of figures: those of lines and text, and one per size."""

from collections.abc import Iterable

INK = "#333"
MUTED = "#777"
GRID = "#e9e9e9"
FRAME = "#c8c8c8"
CLEAR = "rgba(0,0,0,0)"

# "plasma" (van der Walt & Smith) without its yellow end, which vanishes on paper; small first
_SEQUENCE = ("#ed7953", "#d8576b", "#bd3786", "#9c179e", "#7201a8", "#46039f", "#0d0887")


def assign_colours(sizes: Iterable[int]) -> dict[int, str]:
    """Return one colour per size, from light (small) to dark (large).

    Arguments:
        sizes: The sizes of a study, in any order.

    Example:
        >>> assign_colours([512, 256])
        {256: '#ed7953', 512: '#0d0887'}
    """
    ordered = sorted(set(sizes))
    steps = max(len(ordered) - 1, 1)
    only = 0.5 if len(ordered) == 1 else 0.0
    return {size: _mix(i / steps + only) for i, size in enumerate(ordered)}


def _mix(share: float) -> str:
    place = share * (len(_SEQUENCE) - 1)
    lower = min(int(place), len(_SEQUENCE) - 2)
    mixed = (
        round(a + (place - lower) * (b - a))
        for a, b in zip(_rgb(_SEQUENCE[lower]), _rgb(_SEQUENCE[lower + 1]), strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def fade_colour(colour: str, alpha: float) -> str:
    """Return a colour with an opacity.

    Example:
        >>> fade_colour("#0d0887", 0.1)
        'rgba(13,8,135,0.1)'
    """
    return f"rgba({','.join(map(str, _rgb(colour)))},{alpha})"
