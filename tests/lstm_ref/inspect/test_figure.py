"""Figures for light and dark pages, and the palette they share with the widgets."""

import base64
import itertools
import re
import subprocess
import sys

import numpy as np
import pytest

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect import COLOURS, LINE_STYLES, PALETTES, figure
from lstm_ref.inspect.figure import LEAST_PIXELS, TELEPHONE_PIXELS, least_points
from lstm_ref.inspect.svg import short_path

ALT = "The cell state halves every 7 steps."


def lines(ax, palette):
    for name in COLOURS:
        ax.plot([0, 1], [0, 1], label=name, **palette.line(name))
    ax.set_xlabel("time step")
    ax.legend()


def linear_rgb(colour):
    v = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    low, high = sorted(float(linear_rgb(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb):
    """Coordinates in which distance is close to what the eye sees (Ottosson 2020)."""
    lms = np.array(
        [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
    )
    lab = np.array(
        [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    )
    return lab @ np.cbrt(lms @ np.clip(rgb, 0, 1))


# Machado, Oliveira and Fernandes (2009), severity 1
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("alt", ["", "   ", None])
def test_a_figure_without_a_description_is_refused(alt):
    with pytest.raises(ArgumentError, match="alt must say in words"):
        figure(lines, alt=alt)
    with pytest.raises(TypeError):
        figure(lines)


def test_one_drawing_becomes_one_svg_whose_colours_follow_the_page():
    drawn = figure(lines, alt='A "quoted" <finding>\n over two lines', caption="f < 1")
    page = drawn._repr_html_()
    assert page.count("<svg") == 1 and "<img" not in page
    assert re.findall(r'<svg id="(\w+)" role="img" aria-label="([^"]*)"', page)[0][1] == (
        "A &quot;quoted&quot; &lt;finding&gt; over two lines"
    )
    assert "<figcaption>f &lt; 1</figcaption>" in page
    assert len(page) < 0.5 * sum(map(len, drawn.svg.values()))
    svg = page[page.index("<svg") :].lower()
    assert all(colour.lower() in svg for colour in COLOURS.values())  # the same in both modes
    assert (
        "<text" not in svg and "<style" not in svg
    )  # outlines: no font is asked for; no style sheet that reaches the page
    for mode in PALETTES:
        assert PALETTES[mode].fg.lower() not in svg  # a variable stands for it
        assert f": {PALETTES[mode].fg.lower()};" in page
    assert "<script" not in page and "http:" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", page)


def test_ids_of_two_figures_stay_apart_and_all_that_is_used_is_there():
    pages = [figure(lines, alt=alt)._repr_html_() for alt in ("one", "other")]
    ids = [set(re.findall(r'\bid="([^"]+)"', page)) for page in pages]
    assert not ids[0] & ids[1]
    for page, names in zip(pages, ids, strict=True):
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)
        assert len(used) > 10 and {one or other for one, other in used} <= names
        assert len(names) == len(re.findall(r'\bid="', page))


def test_paths_keep_their_places():
    """Walk along the relative path and meet every point of Matplotlib's, to a hundredth of a
    point.
    """
    rng = np.random.default_rng(0)
    points = rng.uniform(-300, 300, size=(400, 2))
    path = "M" + "L".join(f" {x:.6f} {y:.6f} \n" for x, y in points)
    numbers = re.findall(r"-?\d*\.?\d+", short_path(path))
    walked = np.cumsum(np.array(numbers, float).reshape(-1, 2), axis=0)
    np.testing.assert_allclose(walked, points, rtol=0, atol=0.0051)
    curve = short_path("M 0 0 C 1 0 2 0 3 0 Q 4 1 5 0 z L 1 1")
    # all of a curve's points from where it starts; z goes back there
    assert curve == "m0 0c1 0 2 0 3 0q1 1 2 0zl1 1"


def test_drawings_that_differ_in_more_than_colours_stay_two_images():
    def other(ax, palette):
        ax.plot([0, 1 if palette.mode == "light" else 2])

    page = figure(other, alt=ALT)._repr_html_()
    images = re.findall(
        r'<img class="only-(\w+)" alt="([^"]*)" src="data:image/svg\+xml;base64,([^"]+)">', page
    )
    assert [(mode, alt) for mode, alt, _ in images] == [("light", ALT), ("dark", ALT)]
    assert all("<svg" in base64.b64decode(data).decode() for *_, data in images)


def test_the_same_drawing_gives_the_same_bytes_and_leaves_matplotlib_as_it_was():
    import matplotlib

    before = dict(matplotlib.rcParams)
    assert figure(lines, alt=ALT)._repr_html_() == figure(lines, alt=ALT)._repr_html_()
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("width", [2.0, 4.6, 6.4, 9.0])
def test_no_word_is_lower_on_a_telephone_than_a_reader_needs(width):
    """Whatever sizes a drawing asks for: in its labels, ticks, legend, title and free words."""

    def small(ax, palette):
        ax.plot([0, 1], [0, 1], label="a line")
        ax.set(xlabel="step", ylabel="loss", xticks=[0, 1])
        ax.set_title("title", fontsize=8)
        ax.tick_params(labelsize=6)
        ax.text(0.2, 0.6, "a word", fontsize=5)
        ax.annotate("large", (0.4, 0.2), fontsize=30)
        ax.legend(fontsize=7)

    drawn = figure(small, alt=ALT, size=(width, 2.4)).svg["light"]
    points = {100 * float(size) for size in re.findall(r"scale\((0?\.\d+) -0?\.\d+\)", drawn)}
    pixels_wide = 96 * width
    shown = min(1, TELEPHONE_PIXELS / pixels_wide)  # an SVG is made narrower, never wider
    lowest, highest = (shown * size * 96 / 72 for size in (min(points), max(points)))
    assert LEAST_PIXELS <= lowest < LEAST_PIXELS + 0.2 and max(points) == 30
    assert np.isclose(highest, shown * 40, rtol=1e-3)  # what is large enough stays as it is
    assert np.isclose(min(points), least_points(width))


def test_several_axes_are_handed_over_as_an_array_and_images_have_a_colour_map_in_each_mode():
    seen = []

    def maps(axes, palette):
        seen.append((palette.mode, axes.shape))
        axes[0].imshow([[0, 1]], cmap=palette.colormap("sequential"))
        axes[1].imshow([[-1, 1]], cmap=palette.colormap("diverging"))

    figure(maps, alt=ALT, columns=2, sharey=True)
    assert seen == [("light", (2,)), ("dark", (2,))]
    low, middle, high = PALETTES["dark"].colormap("diverging")([0.0, 0.5, 1.0])[:, :3]
    assert low[0] > low[2] and high[2] > high[0] and middle.max() < 0.25  # orange, the page, blue
    page = figure(maps, alt=ALT, columns=2)._repr_html_()
    assert page.count("<svg") == 1
    assert re.findall(r'<image class="only-(\w+)"', page) == ["light", "dark", "light", "dark"]


def test_a_name_that_has_no_colour_is_refused():
    with pytest.raises(ValueError, match="name must be one of i, f, g, o, c, h, got 'z'"):
        PALETTES["light"].line("z")
    with pytest.raises(ValueError, match="kind must be 'sequential' or 'diverging'"):
        PALETTES["light"].colormap("viridis")


@pytest.mark.parametrize("mode", PALETTES)
def test_every_colour_can_be_seen_on_the_page_and_text_can_be_read(mode):
    palette = PALETTES[mode]
    assert all(contrast(colour, palette.page) >= 3 for colour in palette.colours.values())
    assert contrast(palette.fg, palette.page) >= 7 and contrast(palette.muted, palette.page) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_colours_stay_apart_however_the_reader_sees_them(sight):
    seen = {name: oklab(SIGHT[sight] @ linear_rgb(colour)) for name, colour in COLOURS.items()}
    for one, other in itertools.combinations(COLOURS, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 0.065, (one, other)
    # c is as solid as f, and wider; all others differ in their dashes.
    assert len({str(style) for style in LINE_STYLES.values()}) == len(COLOURS) - 1


@pytest.mark.parametrize("mode", PALETTES)
def test_what_is_no_gate_has_colours_of_its_own(mode):
    palette = PALETTES[mode]
    assert not set(palette.others) & set(COLOURS.values())
    assert all(contrast(colour, palette.page) >= 3 for colour in palette.others)
    looks = [palette.series(k) for k in range(6)]
    assert len({str(look["linestyle"]) for look in looks}) == 6
    for sight in SIGHT.values():
        seen = [oklab(sight @ linear_rgb(colour)) for colour in palette.others]
        assert all(np.linalg.norm(a - b) > 0.065 for a, b in itertools.combinations(seen, 2))
    with pytest.raises(ValueError, match="k must be from 0 to 5, got 6"):
        palette.series(6)


def test_importing_the_package_imports_none_of_its_tools():
    code = (
        "import sys, lstm_ref.inspect; print([m for m in ('matplotlib', 'torch', 'keras', "
        "'anywidget') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
