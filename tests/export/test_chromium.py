"""What a real browser makes of the exports."""

import base64
import io
import json
import pathlib
import shutil
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

import nbpainter
from nbpainter.actions import COLUMNS
from nbpainter.export.svg import visible_from

webdriver = pytest.importorskip("selenium.webdriver")
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="chromium and chromium-driver are not installed",
    ),
]
SVG = "http://www.w3.org/2000/svg"
HOSTILE = "</script><script>alert(1)</script><b>&amp;"
LEVELS = [3, 12, 25]
COVERED = 0.2  # A stroke lies where it covers more than so much of a pixel.


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads)}
    )
    # The driver's place is given, so nothing looks for one elsewhere.
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options, service)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def painting():
    actions = nbpainter.random_actions(40, seed=8)
    return nbpainter.Painting(actions, 96, 72, seed=5, background="#ddeeff")


@pytest.fixture
def page(browser, painting, tmp_path):
    painting.save_image(tmp_path / "painting.png")
    painting.export(tmp_path / "painting.html")
    return _open(browser, tmp_path / "painting.html")


def _open(browser, path):
    browser.get(path.as_uri())
    _wait(lambda: browser.execute_script("return document.body.dataset.ready"))
    assert browser.get_log("browser") == []
    return browser


@pytest.fixture(scope="module")
def mixed():
    """A painting of two brushes and three levels."""
    return nbpainter.Painting(
        nbpainter.random_actions(40, seed=8),
        96,
        72,
        brush=[HOSTILE, "pencil"],
        generator=["generator_gan", "pencil"],
        which=np.arange(40) % 2,
        figures={"levels": LEVELS, "unknown": float("nan")},
    )


@pytest.fixture(scope="module")
def layers(mixed):
    return list(mixed.layers())


@pytest.fixture(scope="module")
def mixed_page(mixed, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "mixed.html"
    mixed.export(path)
    return path


@pytest.fixture
def studio(browser, mixed_page):
    page = _open(browser, mixed_page)
    _button(page, "toggle")
    return page


def _wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def _at(page):
    return int(page.execute_script("return document.all.stroke.value"))


def _press(page, *keys):
    webdriver.ActionChains(page, duration=0).send_keys(*keys).perform()


def _scrub(page, number):
    page.execute_script(
        "const s = document.all.stroke; s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'))",
        number,
    )


def _pixels(page):
    url = page.execute_script("return document.all.canvas.toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return np.asarray(image.convert("RGB"), int)


def _button(page, name):
    page.find_element("id", name).click()


def test_it_plays_pauses_and_ends_on_the_painting(page, painting, tmp_path):
    with Image.open(tmp_path / "painting.png") as image:
        expected = np.asarray(image, int)
    np.testing.assert_array_equal(_pixels(page), expected)
    page.execute_script("document.all.speed.value = 0.25")
    _button(page, "play")
    _wait(lambda: 0 < _at(page) < len(painting))
    _button(page, "play")
    paused = _at(page)
    assert page.find_element("id", "play").text == "Play"
    time.sleep(0.3)
    assert _at(page) == paused < len(painting)
    page.execute_script("document.all.speed.value = 4")
    _press(page, Keys.SPACE)
    assert page.find_element("id", "play").text == "Pause"
    _wait(lambda: _at(page) == len(painting))
    _wait(lambda: page.find_element("id", "play").text == "Play")
    np.testing.assert_array_equal(_pixels(page), expected)


def test_each_step_is_the_picture_after_so_many_strokes(page, painting):
    frames = list(painting.frames(len(painting) + 1))
    for number in (33, 7, 8, 0, 39, 20):
        _scrub(page, number)
        expected = np.asarray(nbpainter.images.to_image(frames[number]), int)
        # Opacities have 8 bits.
        assert np.abs(_pixels(page) - expected).max() <= 2, number


def test_the_keyboard(page, painting):
    for key, expected in (
        (Keys.HOME, 0),
        (Keys.ARROW_RIGHT, 1),
        (Keys.ARROW_RIGHT, 2),
        (Keys.ARROW_LEFT, 1),
        (Keys.ARROW_UP, 2),
        (Keys.PAGE_DOWN, 0),
        (Keys.PAGE_UP, 10),
        (Keys.END, len(painting)),
        (Keys.ARROW_RIGHT, len(painting)),
    ):
        _press(page, key)
        assert _at(page) == expected
    # On the slider a key counts once, and space still plays.
    page.execute_script("document.all.stroke.focus()")
    _press(page, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert _at(page) == len(painting) - 2
    _press(page, Keys.SPACE)
    assert page.find_element("id", "play").text == "Pause"
    # A button that has the focus is pressed once, not twice.
    page.execute_script("document.all.play.focus()")
    _press(page, Keys.SPACE)
    assert page.find_element("id", "play").text == "Play"


@pytest.fixture
def on_screen(browser):
    """Show the page on a screen of another size, with touch or without."""

    def show(width, height, touch):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 2,
                "mobile": touch,
            },
        )
        browser.execute_cdp_cmd(
            "Emulation.setTouchEmulationEnabled", {"enabled": touch}
        )

    yield show
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd(
        "Emulation.setTouchEmulationEnabled", {"enabled": False}
    )


def _box(page, name):
    return page.execute_script(
        "const box = document.getElementById(arguments[0])"
        ".getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]",
        name,
    )


def _room(page):
    """Sides of the page and of the screen."""
    return page.execute_script(
        "const page = document.documentElement;"
        "return [[page.scrollWidth, page.scrollHeight],"
        "[innerWidth, innerHeight]]"
    )


@pytest.mark.parametrize(
    ("width", "height", "touch"),
    [(1280, 800, False), (390, 844, True), (844, 390, True)],
)
def test_a_small_painting_fills_the_screen(
    page, on_screen, width, height, touch
):
    on_screen(width, height, touch)
    left, top, wide, high = _box(page, "canvas")
    _, stage_top, stage_wide, stage_high = _box(page, "stage")
    assert wide / high == pytest.approx(96 / 72, rel=0.01)
    assert wide == pytest.approx(min(stage_wide, stage_high * 96 / 72), abs=1)
    assert left >= 0
    assert top >= stage_top - 1
    # Nothing has to be scrolled to, and the picture is what it was.
    assert _room(page) == [[width, height]] * 2
    assert page.execute_script("return document.all.canvas.width") == 96


def _touch(page, kind, *points):
    page.execute_cdp_cmd(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
    )


def test_fingers(page, on_screen, painting):
    on_screen(390, 844, touch=True)
    left, top, wide, high = _box(page, "stroke")
    across = top + high / 2
    # The thumb stays inside the slider's ends.
    _touch(page, "touchStart", (left + wide - 10, across))
    for share in (0.9, 0.7, 0.5):
        _touch(page, "touchMove", (left + share * wide, across))
    _touch(page, "touchEnd")
    _wait(lambda: abs(_at(page) - len(painting) / 2) <= 1)
    before = _at(page)
    left, top, wide, high = _box(page, "canvas")
    _touch(page, "touchStart", (left + 0.8 * wide, top + high / 2))
    for share in (0.75, 0.65, 0.55):
        _touch(page, "touchMove", (left + share * wide, top + high / 2))
    _touch(page, "touchEnd")
    _wait(lambda: _at(page) == before - len(painting) / 4)
    _touch(page, "touchStart", (left + 0.5 * wide, top + high / 2))
    _touch(page, "touchEnd")
    _wait(lambda: page.find_element("id", "play").text == "Pause")


def test_speed(page):
    reached = {}
    for speed in (0.25, 4):
        _press(page, Keys.HOME)
        page.execute_script(
            "document.all.speed.value = arguments[0]", str(speed)
        )
        _press(page, Keys.SPACE)
        time.sleep(1.5)
        _press(page, Keys.SPACE)
        reached[speed] = _at(page)
    assert reached[4] > 2 * reached[0.25]


def test_the_frame_can_be_saved(page, downloads):
    _scrub(page, 12)
    shown = _pixels(page)
    _button(page, "download")
    path = downloads / "painting-12.png"
    _wait(path.exists)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), shown)


def test_the_mouse_drags_and_clicks(page):
    canvas = page.find_element("id", "canvas")
    wide = _box(page, "canvas")[2]
    actions = webdriver.ActionChains(page, duration=50)
    actions.move_to_element_with_offset(canvas, round(0.4 * wide), 0)
    actions.click_and_hold().move_by_offset(-round(0.5 * wide), 0)
    actions.release().perform()
    assert _at(page) == 20
    canvas.click()
    assert page.find_element("id", "play").text == "Pause"


def _laid(painting, layers, numbers):
    """The canvas, 0 to 255, if only some of the strokes are laid."""
    canvas = 255 * painting.blank()
    colors = 255 * painting.actions[:, COLUMNS.color]
    for number in numbers:
        top, left, opacity = layers[number]
        rows, columns = opacity.shape
        block = canvas[top : top + rows, left : left + columns]
        block += opacity[..., None] * (colors[number] - block)
    return canvas


def _choices(page, kind):
    return page.find_elements("css selector", f"#{kind} button")


def _place(page):
    return page.find_element("id", "place").text


def test_strokes_are_shown_by_level_and_colour(studio, mixed, layers):
    whole, second = _pixels(studio), range(3, 15)
    first, middle, last = _choices(studio, "levels")
    assert middle.accessible_name == "Level 2, 12 strokes"
    middle.click()
    assert np.abs(_pixels(studio) - _laid(mixed, layers, second)).max() <= 2
    assert _place(studio) == "12 of 12 shown"
    # The player steps and plays through those that are shown.
    _press(studio, Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert np.abs(_pixels(studio) - _laid(mixed, layers, [3, 4])).max() <= 2
    _press(studio, Keys.ARROW_LEFT)
    assert np.abs(_pixels(studio) - _laid(mixed, layers, [3])).max() <= 2
    studio.execute_script("document.all.speed.value = 4")
    _button(studio, "play")
    _wait(lambda: _place(studio) == "12 of 12 shown")
    assert np.abs(_pixels(studio) - _laid(mixed, layers, second)).max() <= 2
    _scrub(studio, 7)
    assert np.abs(_pixels(studio) - _laid(mixed, layers, second[:7])).max() <= 2
    # With the others, it is where it was: after ten strokes of all.
    middle.click()
    assert _place(studio) == "Stroke 10 of 40"
    _press(studio, Keys.END)
    # Space presses the button that has the focus, and does not play.
    last.send_keys(Keys.SPACE)
    assert _place(studio) == "25 of 25 shown"
    colors = _choices(studio, "colors")
    assert 1 < len(colors) <= 12
    counts = [int(c.accessible_name.split()[1]) for c in colors]
    assert sum(counts) == 40
    left = []
    for color in colors:
        color.click()
        left.append(int(_place(studio).split()[0]))
        color.click()
    assert sum(left) == 25
    assert studio.find_element("id", "play").text == "Play"
    _button(studio, "all")
    np.testing.assert_array_equal(_pixels(studio), whole)
    pressed = [b.get_attribute("aria-pressed") for b in (first, middle, last)]
    assert pressed == ["false"] * 3


def _numbers(page):
    return [said.text for said in page.find_elements("css selector", "dd")]


def _said(painting, number):
    """What the studio says of a stroke, or of none: -1."""
    if number < 0:
        return ["\u2013"] * 9
    stroke = json.loads(painting.to_json())["strokes"][number]
    points = (stroke[name] for name in ("start", "control", "end"))
    return [
        f"{number + 1} of {len(painting)}",
        str(painting.level[number] + 1),
        painting.brushes[painting.which[number]],
        *(f"{x:.6g}, {y:.6g}" for x, y in points),
        f"{stroke['radius']:.6g}",
        "{:.5g} to {:.5g}".format(*stroke["pressure"]),
        stroke["color"],
    ]


def _topmost(painting, layers, numbers):
    """The last of some strokes that is seen in each pixel, or -1."""
    topmost = np.full((painting.height, painting.width), -1)
    for number in numbers:
        top, left, opacity = layers[number]
        rows, columns = opacity.shape
        block = topmost[top : top + rows, left : left + columns]
        seen = nbpainter.images.to_uint8(visible_from(opacity))
        block[nbpainter.images.to_uint8(opacity) > seen] = number
    return topmost


def _in_picture(page, x, y):
    """Where a pixel of the picture is on the screen."""
    left, top, wide, high = _box(page, "canvas")
    return round(left + (x + 0.5) / 96 * wide), round(
        top + (y + 0.5) / 72 * high
    )


def _point(page, x, y):
    chain = webdriver.ActionChains(page, duration=0)
    chain.w3c_actions.pointer_action.move_to_location(*_in_picture(page, x, y))
    chain.perform()


def test_pointing_at_a_stroke_shows_its_numbers(
    studio, on_screen, mixed, layers
):
    on_screen(1280, 800, touch=False)
    outline = studio.find_element("id", "outline")
    assert not outline.is_displayed()
    assert _room(studio) == [[1280, 800]] * 2
    pixels = [(x, y) for x in range(6, 96, 20) for y in range(6, 72, 20)]
    seen = []
    for shown in (range(40), range(3)):
        topmost = _topmost(mixed, layers, shown)
        for x, y in pixels:
            _point(studio, x, y)
            assert _numbers(studio) == _said(mixed, topmost[y, x])
            assert outline.is_displayed() == (topmost[y, x] >= 0)
            seen.append(topmost[y, x])
        # Only strokes that are shown are pointed at.
        _choices(studio, "levels")[0].click()
    assert len(set(seen)) > 8
    # A step shows the stroke that it lays; beside the picture there is none.
    _press(studio, Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert _numbers(studio) == _said(mixed, 1)
    x, y = next(zip(*np.nonzero((topmost == 0).T)))
    _point(studio, x, y)
    assert outline.is_displayed()
    webdriver.ActionChains(studio).move_to_element(
        studio.find_element("id", "place")
    ).perform()
    assert not outline.is_displayed()
    # Names of strangers' files stay text.
    assert studio.get_log("browser") == []
    assert studio.find_elements("css selector", "b") == []


def test_a_finger_points_in_the_studio(studio, on_screen, mixed, layers):
    on_screen(390, 844, touch=True)
    topmost = _topmost(mixed, layers, range(40))
    for x, y in ((30, 20), (70, 50)):
        _touch(studio, "touchStart", _in_picture(studio, x, y))
        _touch(studio, "touchEnd")
        expected = _said(mixed, topmost[y, x])
        _wait(lambda expected=expected: _numbers(studio) == expected)
    assert studio.find_element("id", "play").text == "Play"
    # While it plays, a tap pauses it; without the studio it plays it.
    _button(studio, "play")
    _touch(studio, "touchStart", _in_picture(studio, 30, 20))
    _touch(studio, "touchEnd")
    _wait(lambda: studio.find_element("id", "play").text == "Play")
    (wide, _), room = _room(studio)
    assert [wide, 844] == room == [390, 844]


def test_the_stroke_file_and_the_svg_can_be_saved(
    studio, mixed, downloads, tmp_path
):
    for button, name in (("file", "mixed.json"), ("svg", "mixed.svg")):
        mixed.export(tmp_path / name)
        _button(studio, button)
        _wait((downloads / name).exists)
        saved = (downloads / name).read_bytes()
        assert saved == (tmp_path / name).read_bytes()


def test_one_level_is_no_choice_and_a_palette_is(browser, tmp_path):
    path = pathlib.Path(__file__).parents[1] / "golden" / "palette.json"
    painting = nbpainter.Painting.load(path)
    painting.export(tmp_path / "palette.html")
    page = _open(browser, tmp_path / "palette.html")
    _button(page, "toggle")
    assert not page.find_element("id", "levels").is_displayed()
    names = [b.accessible_name[:7] for b in _choices(page, "colors")]
    used = {nbpainter.images.to_hex(a[COLUMNS.color]) for a in painting.actions}
    assert set(names) == used <= set(painting.palette)


def draw_paths(browser, path, size):
    """Let Chromium draw each path of an SVG file on its own: opacities."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.parse(path).getroot()
    group = root.find(f"{{{SVG}}}g")
    root.remove(root.find(f"{{{SVG}}}rect"))
    browser.get("about:blank")
    for stroke in list(group):
        for other in list(group):
            group.remove(other)
        group.append(stroke)
        text = ElementTree.tostring(root)
        url = browser.execute_async_script(
            """
            const [text, size, done] = arguments;
            const image = new Image();
            image.onload = () => {
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = size;
              canvas.getContext("2d").drawImage(image, 0, 0);
              done(canvas.toDataURL());
            };
            image.src = "data:image/svg+xml;base64," + text;
            """,
            base64.b64encode(text).decode(),
            size,
        )
        data = base64.b64decode(url.split(",")[1])
        with Image.open(io.BytesIO(data)) as image:
            yield np.asarray(image)[..., 3] / 255


def overlaps(browser, painting, path):
    """Overlap of each stroke's path with the stroke that `render` draws."""
    painting.export(path)
    size = [painting.width, painting.height]
    shares = []
    for action, drawn in zip(painting.actions, draw_paths(browser, path, size)):
        alone = nbpainter.Painting([action], *size, seed=painting.seed)
        real = alone.render(transparent=True)[..., 3] > COVERED
        drawn = drawn > COVERED
        if real.sum() >= 10:
            shares.append((real & drawn).sum() / (real | drawn).sum())
    return np.array(shares)


def test_svg_strokes_lie_where_the_generator_draws_them(browser, tmp_path):
    # Each stroke alone is another random draw than its path is fitted to.
    actions = nbpainter.random_actions(40, seed=99)
    painting = nbpainter.Painting(actions, 256, 256, seed=2)
    shares = overlaps(browser, painting, tmp_path / "painting.svg")
    assert len(shares) > 35
    assert shares.mean() > 0.7
    assert np.quantile(shares, 0.1) > 0.65
