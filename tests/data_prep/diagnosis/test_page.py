import dataclasses
import html.parser
import re

import pytest

from data_prep.diagnosis.diagnose import diagnose
from data_prep.diagnosis.page import make_page


class _Checker(html.parser.HTMLParser):
    """Collects open tags, sources and text."""

    VOID = ("meta", "img", "source", "br")

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.text, self.classes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.sources += [attrs[k] for k in ("src", "srcset") if k in attrs]
        self.classes.append((tag, attrs.get("class", "")))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(text):
    checker = _Checker()
    checker.feed(text)
    assert checker.open == []
    return checker


@pytest.fixture(scope="module")
def three_bands(l2a, keep_bands):
    """Fewer charts, and so less time."""
    return keep_bands(l2a, ("B2", "B3", "B4"))


@pytest.fixture(scope="module")
def spoilt(three_bands, change):
    """The text of the page of a place with a black date."""
    black = change(three_bands, lambda i, v: v * (i != 3))
    return make_page(diagnose(black))


def test_the_page_needs_nothing_beside_it(spoilt):
    text = spoilt
    page = _read(spoilt)
    assert len(page.sources) == 2 * 7 + 2  # picture, mask; chart, twice
    assert all(s.startswith("data:image/png;base64,") for s in page.sources)
    assert not re.search(r"https?://|@import|url\(|<script|<link", text)
    assert "prefers-color-scheme: dark" in text


def test_findings_stand_in_their_colours_and_mark_their_frames(spoilt):
    page = _read(spoilt)
    assert ("div", "finding error") in page.classes
    assert ("div", "finding note") in page.classes
    flagged = [c for tag, c in page.classes if tag == "figure" and c]
    assert sorted(flagged) == ["error flagged", "note flagged"]
    assert "black_frame" in "".join(page.text)


def test_names_are_escaped(three_bands):
    evil = dataclasses.replace(
        three_bands, source="<script>alert(1)</script>", places=()
    )
    text = make_page(diagnose(evil))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_with_a_model_the_answer_stands_on_top(clear_ten, make_model):
    diagnosis = diagnose(clear_ten, make_model())
    text = " ".join(_read(make_page(diagnosis)).text)
    assert text.index("This input fits the model") < text.index("What it is")


def test_of_many_places_a_dozen_is_shown_faults_first(real_records):
    from data_prep.diagnosis.open_records import open_records

    def spoil(key, image, valid):
        if key == "test-2":
            image[0] = 0
        return image, valid

    folder = real_records(spoil, fields=("image",))
    page = _read(make_page(diagnose(open_records("x", [str(folder)], 64))))
    text = "".join(page.text)
    heads = re.findall(r"(?:train|validation|test)-\d, \w+", text)
    assert heads[0] == "test-2, test"
    assert len(heads) <= 12
    assert "50 cm image, thinned" in text
    assert "Where the splits lie" in text


def test_a_table_shows_its_columns(real_data):
    from data_prep.diagnosis.open_table import open_table

    path = real_data("servir-aces") / "training.tfrecord.gz"
    page = _read(make_page(diagnose(open_table(str(path)))))
    assert page.sources == []
    assert "nir_before" in "".join(page.text)


def test_an_image_is_shown_without_values(real_data):
    from data_prep.diagnosis.open_input import open_input

    path = real_data("solaris") / "sample_geotiff.tif"
    page = _read(make_page(diagnose(open_input([str(path)]))))
    assert len(page.sources) == 2
    assert "grey, shown as grey" in "".join(page.text)
