"""Reports say what was found, to everyone, and nothing that users wrote becomes markup."""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from mkfusion import Modalities
from mkfusion.compare import compare_fusion
from mkfusion.report import format_number, format_seconds, tables
from mkfusion.report._svg import tick_text, ticks_of
from mkfusion.report._words import format_count, format_p_value

EVIL = '<script>alert("1")</script> & | *b* {x} $y$'
VOID = {"meta", "line", "circle", "rect", "br"}


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    y = np.where(np.arange(60) % 2, EVIL, "other")
    useful = (np.arange(60) % 2)[:, np.newaxis] * 2 + rng.normal(size=(60, 2))
    X = Modalities({EVIL: useful, "long " * 20: rng.normal(size=(60, 3))})
    return compare_fusion(X, y, fast=True, cv=4, methods=["early", "uniform", "l1_mkl", "products"])


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert found.to_html(path, title=f"{EVIL}?") == path
    return path


class Reader(HTMLParser):
    """Checks that tags nest, and keeps what it sees."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attrs for name, attrs in self.seen if name == tag]


@pytest.fixture(scope="module")
def read(page):
    return Reader(page.read_text(encoding="utf-8"))


# ---------------------------------------------------------------------------- HTML


def test_what_users_wrote_is_text(read, page):
    assert not read.all("script")
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert any(EVIL in data for tag, data in read.texts if tag == "th")
    assert any(EVIL in data for tag, data in read.texts if tag == "h1")


def test_page_loads_nothing(read, page):
    text = page.read_text(encoding="utf-8")
    assert "http://" not in text and "https://" not in text and "url(" not in text
    loading = {"src", "href", "srcset", "data", "action", "xlink:href"}
    assert not [attrs for _, attrs in read.seen if loading & attrs.keys()]
    policy = [a for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_page_is_accessible(read):
    assert read.all("html")[0]["lang"] == "en"
    assert len(read.all("main")) == 1
    levels = [int(tag[1]) for tag, _ in read.seen if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    ids = [attrs["id"] for _, attrs in read.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in read.seen:
        assert set(attrs.get("aria-labelledby", "").split()) <= set(ids)
    n_tables = len(read.all("table"))
    assert n_tables == len(read.all("caption")) >= 6
    assert all(attrs.get("scope") in ("col", "row") for attrs in read.all("th"))
    regions = [attrs for attrs in read.all("div") if attrs.get("role") == "region"]
    assert len(regions) == n_tables and all(attrs["tabindex"] == "0" for attrs in regions)


def test_pictures_have_text(read, page):
    pictures = read.all("svg")
    assert [attrs["role"] for attrs in pictures] == ["img"] * 7
    said = [data for tag, data in read.texts if tag == "desc"]
    assert len(said) == 7
    assert "uniform kernel sum: " in said[0] and "uniform kernel sum: " in said[1]
    assert f"{EVIL}: " in said[2]
    assert "saved" in page.read_text(encoding="utf-8")
    points = read.all("circle")
    assert len(points) == 4 * (10 + 5 + 2 + 2)  # folds, of every row
    assert all(0 <= float(attrs["cx"]) <= 340 for attrs in points)


def test_report_carries_what_a_paper_needs(found, page):
    text = page.read_text(encoding="utf-8")
    for wanted in (
        "StratifiedKFold(n_splits=4, random_state=0, shuffle=True)",
        "60 samples of 2 modalities",
        "random_state",
        "scikit-learn",
        "Nadeau and Bengio",
        "Maity and Lin",
        "Li and Cui",
        "What was tested</h2>",
        "Does each modality say what the others do not?</h2>",
        "Holm",
        "Kloft",
        "corrected resampled t-test",
        "Which modality carries it</h2>",
        "Do modalities interact?</h2>",
        "How alike the modalities are</h2>",
        "Shapley",
        "Covert",
        "Hessel and Lee",
    ):
        assert wanted in text, wanted
    assert "Gönen" not in text  # was not compared
    listed = re.search(r"<ol>(.*?)</ol>", text, flags=re.DOTALL)[1]
    references = re.findall(r"<li>", listed)
    cited = {int(n) for n in re.findall(r"\[(\d+)\]", text)}
    assert cited == set(range(1, len(references) + 1))


# ---------------------------------------------------------------------------- the others


def test_markdown_has_tables_of_one_width(found):
    text = found.to_markdown()
    assert text.startswith("# Does fusing help?\n\n**")
    assert "<script>" not in text.replace(r"\<script\>", "")
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) >= 4
    for block in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_verdict_is_never_bare(found):
    text = str(found)
    assert re.search(
        r"saves [+−]?\d\.\d{3} \(90% interval .+ to .+, 95% interval .+ to .+\); one-sided p ", text
    )
    assert "4 folds" in text
    assert re.search(
        r"less log-loss \(0\.\d{3} of accuracy\) would be found four times in five", text
    )
    assert "No evidence is not evidence of absence." in found.to_markdown()


def test_frames(found):
    summary = found.to_frame()
    assert isinstance(summary, pd.DataFrame) and len(summary) == 10
    row = summary.set_index("method").loc["early fusion"]
    assert row["accuracy"] == pytest.approx(found.scores("early fusion").mean())
    folds = found.to_frame("folds")
    assert len(folds) == 4 * 7 and set(folds.n_train) == {45}
    comparisons = found.to_frame("comparisons")
    assert (
        list(comparisons.reference) == ["best single modality"] * 5 + ["best simple baseline"] * 2
    )
    contributions = found.to_frame("contributions")
    assert list(contributions.modality) == [EVIL, "long " * 20]
    assert contributions.contribution.sum() == pytest.approx(found.contributions_.total)
    assert len(found.to_frame("interactions")) == 1
    information = found.to_frame("information")
    assert list(information.modality) == [EVIL, "long " * 20]
    assert list(information.adds) == list(found.information_.pvalues)
    np.testing.assert_allclose(
        folds.groupby("method")["log-loss"].mean()["early fusion"],
        found.losses("early fusion").mean(),
    )
    with pytest.raises(ValueError, match="table is 'all'"):
        found.to_frame("all")
    with pytest.raises(ValueError, match="method is"):
        found.scores("magic")
    with pytest.raises(ValueError, match="metric is"):
        found.scores("early fusion", "r2")


def test_frame_says_that_it_needs_pandas(found, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas"):
        found.to_frame()


def test_report_without_the_answers(tmp_path):
    X = Modalities(a=np.arange(40.0)[:, np.newaxis], b=np.ones((40, 1)))
    bare = compare_fusion(X, np.arange(40) % 2, fast=True, cv=2, methods=["early"])
    # A modality that is constant cannot be tested for information.
    assert len(bare.not_answered_) == 4 and bare.to_frame("contributions").empty
    assert bare.to_frame("information").empty and bare.to_frame("interactions").empty
    text = bare.to_html(tmp_path / "bare.html").read_text(encoding="utf-8")
    assert text.count("<svg") == 5 and "Not answered" in text
    assert "Shapley" not in text and "Hessel" not in text


def test_plot(found):
    from matplotlib.figure import Figure

    ax = found.plot(ax=Figure().subplots(), metric="f1_macro")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 10 and labels[3] == "early fusion"
    ax.figure.canvas.draw()  # users' dollars are no mathematics
    drawn = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 4]
    np.testing.assert_array_equal(drawn[3], found.scores("early fusion", "f1_macro"))


def test_tables_are_of_one_width(found):
    for table in tables(found):
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title


def test_numbers():
    shown = [format_number(v) for v in (0.12345, -0.5, -0.0001, 1234.5678, np.nan, -np.inf)]
    assert shown == ["0.123", "−0.500", "0.000", "1235", "–", "−∞"]
    assert [format_number(v, sign=True) for v in (0.5, 0.0, -1.0)] == ["+0.500", "0.000", "−1.000"]
    assert [format_p_value(p) for p in (0.0004, 0.05, np.nan)] == ["< 0.001", "0.050", "–"]
    assert [format_count(n) for n in (7.0, 64.2, 1234.0, np.inf)] == ["7", "65", "1,300", "–"]
    assert [format_seconds(s) for s in (0.2, 61, 600, 9e4)] == ["1 s", "61 s", "10 min", "25 h"]


@pytest.mark.parametrize("low, high", [(0.5, 0.97), (-0.013, 0.002), (0, 0), (-81.2, -40), (1, 1)])
def test_ticks_enclose_and_are_told_apart(low, high):
    ticks = ticks_of(low, high)
    assert 2 <= len(ticks) <= 8 and ticks[0] <= low + 1e-12 and ticks[-1] >= high - 1e-12
    shown = [tick_text(tick, ticks) for tick in ticks]
    assert len(set(shown)) == len(shown)
    np.testing.assert_allclose([float(one.replace("−", "-")) for one in shown], ticks, atol=1e-9)


# ---------------------------------------------------------------------------- a real browser

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Browser:
    """Just enough of the WebDriver protocol."""

    def __init__(self, profile):
        self.process = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        port = None
        for line in self.process.stdout:
            if started := re.search(r"started successfully on port (\d+)", line):
                port = started[1]
                break
        self.base, self.profile, self.session = f"http://127.0.0.1:{port}", profile, None

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        for wait in (1, 2, None):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)["value"]
            except urllib.error.URLError:
                if wait is None:
                    raise
                time.sleep(wait)

    def open(self, page, width, dark):
        size = {"width": width, "height": 800, "pixelRatio": 1.0, "mobile": width < 600}
        scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
        options = {
            "binary": CHROMIUM,
            "args": [*QUIET, *scheme, f"--user-data-dir={self.profile / f'{width}{dark}'}"],
            "mobileEmulation": {"deviceMetrics": size},
        }
        wanted = {"alwaysMatch": {"goog:chromeOptions": options}}
        self.session = self.call("POST", "/session", {"capabilities": wanted})["sessionId"]
        self.call("POST", f"/session/{self.session}/url", {"url": page.as_uri()})

    def run(self, script):
        body = {"script": script, "args": []}
        return self.call("POST", f"/session/{self.session}/execute/sync", body)

    def screenshot(self):
        return base64.b64decode(self.call("GET", f"/session/{self.session}/screenshot"))

    def close(self):
        if self.session:
            self.call("DELETE", f"/session/{self.session}")
            self.session = None


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed: no real browser sees the report")
    driven = Browser(tmp_path_factory.mktemp("profiles"))
    yield driven
    driven.process.terminate()
    driven.process.wait()
    driven.process.stdout.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [375, 1280])
def test_in_a_browser(browser, page, width, dark):
    browser.open(page, width, dark)
    try:
        wide, inner = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner == width  # nothing but tables scrolls sideways
        assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") is dark
        small = browser.run(
            "const seen = [...document.querySelectorAll('svg text')];"
            "return Math.min(...seen.map(t => t.getBoundingClientRect().height))"
        )
        assert small >= 10  # pixels: readable on a phone
        assert browser.run(OUTSIDE) == []
        if width < 600:
            assert browser.run(UNHINTED) == []
        contrasts = browser.run(CONTRAST)
        assert len(contrasts) > 50 and min(contrasts) >= 4.5
        assert browser.run("return document.scripts.length") == 0
        resources = "return performance.getEntriesByType('resource').length"
        assert browser.run(resources) == 0
        assert browser.screenshot().startswith(b"\x89PNG")
    finally:
        browser.close()


# Texts that leave their picture.
OUTSIDE = """
return [...document.querySelectorAll('svg')].flatMap(picture => {
  const all = picture.getBoundingClientRect();
  return [...picture.querySelectorAll('text')].filter(one => {
    const box = one.getBoundingClientRect();
    return box.left < all.left - 1 || box.right > all.right + 1
      || box.top < all.top - 1 || box.bottom > all.bottom + 1;
  }).map(one => one.textContent);
});
"""
# Tables that hide columns and do not say so.
UNHINTED = """
return [...document.querySelectorAll('.scroll')].filter(one => {
  const before = one.previousElementSibling;
  const said = before && before.classList.contains('hint')
    && getComputedStyle(before).display !== 'none';
  return one.scrollWidth > one.clientWidth && !said;
}).map(one => one.getAttribute('aria-labelledby'));
"""
# The contrast of every text with the nearest ground behind it, as WCAG 2 reckons it.
CONTRAST = """
const parts = c => c.match(/[\\d.]+/g).map(Number);
const light = c => {
  const [r, g, b] = parts(c).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = e => {
  for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor, p = parts(c);
    if (p.length === 3 || p[3] > 0) return c;
  }
  return 'rgb(255, 255, 255)';
};
const texts = [...document.querySelectorAll('h1,h2,h3,p,th,td,li,span,summary,figcaption,text')];
return texts.map(e => {
  const style = getComputedStyle(e);
  const ink = light(e.tagName === 'text' ? style.fill : style.color), paper = light(ground(e));
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
});
"""


def test_a_page_that_fails_half_way_leaves_the_old_one(found, tmp_path, monkeypatch):
    def half(path, text, **settings):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    page = tmp_path / "report.html"
    page.write_bytes(b"good")
    monkeypatch.setattr("pathlib.Path.write_text", half)
    with pytest.raises(OSError, match="no space left"):
        found.to_html(page)
    assert page.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [page]
