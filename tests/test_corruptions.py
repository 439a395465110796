"""The corruptions of MNIST-C that the benchmark makes: repeatable, and as published."""

from __future__ import annotations

import corruptions
import numpy as np
import pytest
from corruptions import SEEN, UNSEEN, corrupt

from skorch_mnist import load_digits28

NAMES = UNSEEN + SEEN
RANDOM = sorted({*NAMES} - {"stripe", "canny_edges", "scale", "brightness"})
BLACK = np.zeros((20, 28, 28), np.uint8)
GRAY = np.full((20, 28, 28), 51, np.uint8)  # 0.2
WHITE = np.full((20, 28, 28), 255, np.uint8)
DOT = BLACK.copy()
DOT[:, 14, 14] = 255


@pytest.fixture(scope="module")
def images():
    return load_digits28().images[:20]


def corrupted(images, name, seed=0):
    return corrupt(images, name, np.random.default_rng(seed))


class Fixed:
    """A generator whose numbers are all as high, or all as low, as they can be."""

    def uniform(self, low, high, shape):
        return np.full(shape, high)

    def random(self, shape):
        return np.ones(shape)

    def integers(self, low, high, shape):
        return np.full(shape, low)


def test_groups_hold_the_corruptions_of_mnist_c():
    assert len(UNSEEN) == 8 and len(SEEN) == 7
    assert len({*NAMES}) == 15


@pytest.mark.parametrize("name", NAMES)
def test_results_are_images_and_repeatable(name, images):
    before = images.copy()
    once = corrupted(images, name)
    assert once.shape == images.shape and once.dtype == np.uint8
    assert (once != images).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(once, corrupted(images.reshape(-1, 784), name))


@pytest.mark.parametrize("name", RANDOM)
def test_each_image_and_each_seed_gets_its_own_random_numbers(name, images):
    copies = np.repeat(images[:1], 20, axis=0)
    once = corrupted(copies, name)
    assert (once != once[0]).any()
    assert (once != corrupted(copies, name, seed=1)).any()


def test_invalid_arguments_are_refused(images):
    with pytest.raises(
        ValueError, match="name='frost' is not valid: it must be one of stripe, fog"
    ):
        corrupted(images, "frost")
    with pytest.raises(TypeError, match="images of float64"):
        corrupted(images / 255, "fog")


# --- noise and light ------------------------------------------------------------------------


def test_stripe_inverts_both_sides(images):
    expected = images.copy()
    expected[:, :, :7] ^= 255
    expected[:, :, 21:] ^= 255
    np.testing.assert_array_equal(corrupted(images, "stripe"), expected)


def test_brightness_adds_half_of_the_range(images):
    expected = np.minimum(images + 127.5, 255)
    assert np.abs(corrupted(images, "brightness") - expected).max() <= 0.5


def test_shot_noise_counts_three_photons_at_most():
    assert not corrupted(BLACK, "shot_noise").any()
    noisy = corrupted(GRAY, "shot_noise")
    assert set(np.unique(noisy)) == {0, 85, 170, 255}
    # Of a Poisson distribution with mean 0.6.
    for value, share in {0: 0.549, 85: 0.329, 170: 0.099, 255: 0.023}.items():
        assert (noisy == value).mean() == pytest.approx(share, abs=0.015)


def test_impulse_noise_replaces_17_percent():
    noisy = corrupted(GRAY, "impulse_noise")
    for value, share in {0: 0.085, 51: 0.83, 255: 0.085}.items():
        assert (noisy == value).mean() == pytest.approx(share, abs=0.015)


def test_fog_adds_clouds_three_times_as_bright_as_the_digit(images):
    assert not corrupted(BLACK, "fog").any()
    images = images.copy()
    images[:, 0, 0] = 255  # the same brightest pixel in all
    clouds = corrupted(DOT, "fog").astype(int)
    without_dot = clouds - DOT // 4
    assert without_dot.min() >= 0 and without_dot.max() <= 255 * 3 / 4 + 1
    difference = corrupted(images, "fog") - without_dot
    assert np.abs(difference - images / 4).max() <= 1.5  # both are rounded


def test_plasma_follows_the_diamond_square_algorithm():
    # With noise of 100 * 100 and then, after a decay of 2, of 50 * 50 on top of each mean.
    expected = [
        [0, 12500, 15000, 12500],
        [12500, 12500, 15000, 12500],
        [15000, 15000, 10000, 15000],
        [12500, 12500, 15000, 12500],
    ]
    found = corruptions.plasma(2, Fixed(), decay=2, size=4)
    np.testing.assert_allclose(found, [np.divide(expected, 15000)] * 2)


def test_spatter_covers_the_digit_with_dark_mud():
    on_black, on_white = corrupted(BLACK, "spatter"), corrupted(WHITE, "spatter")
    mud = on_black > 0
    assert 0.05 < mud.mean() < 0.5
    np.testing.assert_array_equal(on_white < 255, mud)
    assert on_black[mud].min() >= 50 and on_black.max() <= 63  # 0.8 to 1 of 63
    assert on_white.min() >= 63 and on_white[mud].max() <= 102


# --- blur -----------------------------------------------------------------------------------


def test_glass_blur_blurs_columns_and_moves_pixels():
    np.testing.assert_array_equal(corrupted(WHITE, "glass_blur"), WHITE)
    still = corrupt(DOT, "glass_blur", Fixed())  # never swaps
    assert not np.delete(still, 14, axis=2).any()
    # The weights of the Gaussian are 0.570, 0.205 and 0.010. Once, they give 145, 52 and 2.
    np.testing.assert_array_equal(still[0, 12:17, 14], [13, 60, 104, 60, 13])
    moved = corrupted(DOT, "glass_blur").astype(float)
    assert len(np.unique(moved.argmax(axis=0))) > 1
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), 255, atol=12)  # it rounds down first


def test_motion_blur_trails_to_one_side():
    np.testing.assert_array_equal(corrupted(WHITE, "motion_blur"), WHITE)
    blurred = corrupted(DOT, "motion_blur")
    # 1 of the weights exp(-i**2 / 18), whose sum is (1 + 3 * sqrt(2 * pi)) / 2.
    assert set(blurred[:, 14, 14]) == {60}
    assert not blurred[:, :, 15:].any()
    _, rows, columns = np.nonzero(blurred)
    assert (np.abs(rows - 14) <= 14 - columns).all()
    assert rows.min() < 12 and rows.max() > 16 and columns.min() < 6
    np.testing.assert_allclose(blurred.sum(axis=(1, 2), dtype=float), 255, atol=5)


# --- geometry -------------------------------------------------------------------------------

GRID = np.arange(28) - 13.5  # from the center
RIGHT, DOWN = np.meshgrid(GRID, GRID)
S, C = np.sin(0.4), np.cos(0.4)


@pytest.mark.parametrize(
    "name, sources",
    [
        ("scale", [(RIGHT / 0.7, DOWN / 0.7)]),
        ("rotate", [(C * RIGHT - s * DOWN, s * RIGHT + C * DOWN) for s in (-S, S)]),
        ("shear", [(RIGHT - s * DOWN, C * DOWN) for s in (-S, S)]),
        ("translate", [(RIGHT + x, DOWN + y) for x in (-3, 3) for y in (-3, 3)]),
    ],
)
def test_warps_move_pixels_as_published(name, sources):
    # Interpolation between the pixels of an even slope is exact.
    slopes = np.array([RIGHT * 9 + 128, DOWN * 9 + 128])
    middle = np.s_[8:20, 8:20]
    found = set()
    for seed in range(30):
        # The same seed moves both slopes alike, one at a time.
        right, down = (
            (corrupted(slope[None].round().astype(np.uint8), name, seed)[0] - 128.0) / 9
            for slope in slopes
        )
        errors = [
            max(np.abs(right - x)[middle].max(), np.abs(down - y)[middle].max()) for x, y in sources
        ]
        assert min(errors) < 1.2 / 9  # rounded before and after
        found.add(int(np.argmin(errors)))
    assert found == set(range(len(sources)))


def test_scale_is_black_outside_and_interpolates_the_edge():
    row = corrupted(WHITE, "scale")[0, 14]
    assert not row[:4].any() and not row[-4:].any()
    assert row[4] == row[-5] == 237  # it is at -1 / 14 of the original
    assert (row[5:-5] == 255).all()


def test_translate_moves_by_three_pixels():
    moved = corrupted(DOT, "translate")
    image, rows, columns = np.nonzero(moved)
    assert (moved[image, rows, columns] == 255).all()
    assert {*zip(rows, columns, strict=True)} == {(11, 11), (11, 17), (17, 11), (17, 17)}


# --- lines ----------------------------------------------------------------------------------


def test_lines_fade_with_the_vertical_distance():
    found = corruptions.line(3, 10, 27, 10)
    expected = np.zeros(28)
    expected[[9, 10, 11]] = np.log(1 - 1 / 2.3) + 1, 1, np.log(1 - 1 / 2.3) + 1
    np.testing.assert_allclose(found[:, 3:27], np.repeat(expected[:, None], 24, axis=1))
    assert not found[:, :3].any() and not found[:, 27:].any()


def test_dotted_line_has_gaps_of_two_columns():
    found = corrupted(BLACK, "dotted_line")
    dots = [c for c in range(27) if c % 4 in (2, 3)]
    assert not np.delete(found, dots, axis=2).any()
    # No row is more than half a pixel from the line.
    assert (found[:, :, dots].max(axis=1) >= 255 * (np.log(1 - 0.5 / 2.3) + 1) - 1).all()


def test_zigzag_has_peaks_every_four_columns():
    found = corruptions.zigzag_line(10, 10)
    assert not found[:, :2].any() and not found[:, 25:].any()
    for number, column in enumerate((4, 8, 12, 16, 20, 24)):
        assert found[12 - number % 2 * 4, column] == 1
    assert found[:6].max() == found[15:].max() == 0


def test_zigzag_crosses_the_image(images):
    assert (corrupted(images, "zigzag") >= images).all()
    columns = corrupted(BLACK, "zigzag").any(axis=1)
    assert not columns[:, :2].any()


# --- edges ----------------------------------------------------------------------------------


def test_canny_edges_outlines_each_stroke_on_its_own():
    square = BLACK[:3].copy()
    square[1, 10:18, 10:18] = 255
    found = corrupted(square, "canny_edges")
    assert set(np.unique(found)) == {0, 255}
    np.testing.assert_array_equal(found[1], found[1].T)
    np.testing.assert_array_equal(found[1], found[1, ::-1, ::-1])
    rows = np.flatnonzero(found[1].any(axis=1))
    assert rows[0] in (9, 10) and rows[-1] in (17, 18)
    assert not found[1, 12:16, 12:16].any()
    assert not found[[0, 2]].any()


def test_canny_edges_need_a_step_of_20_gray_levels():
    # A Gaussian of 1 pixel and a Sobel filter give 2.564 times the height of the step, on both of
    # its sides. Rounding decides which of the two is the edge.
    half = np.zeros((28, 28), np.uint8)
    half[:, 14:] = 1
    weak, strong = corrupted(np.stack([half * 19, half * 20]), "canny_edges")
    assert not weak.any()
    assert strong[1:27, 13:15].any(axis=1).all()
    assert not np.delete(strong, (13, 14), axis=1).any()
