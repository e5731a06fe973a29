from lrtransfer.reports.plotly.colours import assign_colours


def test_colours_darken_with_size() -> None:
    colours = assign_colours([4096, 64, 256, 1024, 128])
    assert list(colours) == [64, 128, 256, 1024, 4096]
    lightness = [luma(colour) for colour in colours.values()]
    assert lightness == sorted(lightness, reverse=True)


def luma(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue
