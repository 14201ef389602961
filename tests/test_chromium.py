"""What a real browser makes of the exports."""

import base64
import io
import shutil
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

import nbpainter

webdriver = pytest.importorskip("selenium.webdriver")
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
    browser.get((tmp_path / "painting.html").as_uri())
    _wait(lambda: browser.execute_script("return document.body.dataset.ready"))
    assert browser.get_log("browser") == []
    return browser


def _wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def _at(page):
    return int(page.execute_script("return document.all.stroke.value"))


def _press(page, key):
    page.execute_script(
        "document.body.dispatchEvent(new KeyboardEvent('keydown',"
        "{key: arguments[0], bubbles: true, cancelable: true}))",
        key,
    )


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
    _press(page, " ")
    assert page.find_element("id", "play").text == "Pause"
    _wait(lambda: _at(page) == len(painting))
    _wait(lambda: page.find_element("id", "play").text == "Play")
    np.testing.assert_array_equal(_pixels(page), expected)


def test_each_step_is_the_picture_after_so_many_strokes(page, painting):
    frames = list(painting.frames(len(painting) + 1))
    for number in (33, 7, 8, 0, 39, 20):
        _scrub(page, number)
        expected = np.asarray(nbpainter.pictures.to_image(frames[number]), int)
        # Opacities have 8 bits.
        assert np.abs(_pixels(page) - expected).max() <= 2, number


def test_the_keyboard(page, painting):
    for key, expected in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", len(painting)),
        ("ArrowRight", len(painting)),
    ):
        _press(page, key)
        assert _at(page) == expected


def test_speed(page):
    reached = {}
    for speed in (0.25, 4):
        _press(page, "Home")
        page.execute_script(
            "document.all.speed.value = arguments[0]", str(speed)
        )
        _press(page, " ")
        time.sleep(1.5)
        _press(page, " ")
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


def test_a_swipe_scrubs_and_a_tap_plays(page):
    page.execute_script("""
      const canvas = document.all.canvas, box = canvas.getBoundingClientRect();
      canvas.setPointerCapture = () => {};
      const send = (type, x) => canvas.dispatchEvent(
        new PointerEvent(type, {clientX: box.left + x * box.width}));
      send("pointerdown", 0.9); send("pointermove", 0.4);
      send("pointerup", 0.4);
    """)
    assert _at(page) == 20
    page.find_element("id", "canvas").click()
    assert page.find_element("id", "play").text == "Pause"


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
    # None of these strokes was used to fit widths and opacities.
    actions = nbpainter.random_actions(40, seed=99)
    painting = nbpainter.Painting(actions, 256, 256, seed=2)
    shares = overlaps(browser, painting, tmp_path / "painting.svg")
    assert len(shares) > 35
    assert shares.mean() > 0.7
    assert np.quantile(shares, 0.1) > 0.65
