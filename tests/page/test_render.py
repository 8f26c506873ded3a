"""What the page shows of a prediction: it agrees with itself, says how far to trust it, and holds no foreign HTML."""

from __future__ import annotations

import csv
import re
from html import unescape
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from PIL import Image

from flower_alexnet import LABELS, InvalidImage, Prediction, batch
from flower_alexnet.registry import Model
from page import downloads, render
from page.answers import Answer, ModelPrediction
from page.translations import LANGUAGES, percent
from tests.support.photos import encoded

ROSE = dict(zip(LABELS, (0.004, 0.0, 0.98, 0.001, 0.015), strict=True))
MEASURED = {
    "per_class": {label: {} for label in LABELS},
    "confusion_matrix": [[9, 0, 1, 0, 0], [0, 9, 0, 0, 0], [7, 0, 60, 0, 5], [0, 0, 0, 9, 0], [0, 0, 3, 0, 9]],
    "reliability": [
        {"confidence": 0.5, "accuracy": 0.4, "photos": 50},
        {"confidence": 0.97, "accuracy": 1.0, "photos": 20},
        {"confidence": 0.9, "accuracy": 0.8, "photos": 20},
    ],
}


class Measured(Model):
    """A model with measurements of its own."""

    def measurements(self) -> dict[str, object]:
        return {"test": MEASURED}


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", html))


def shown(prediction: Prediction, language: str = "en") -> str:
    return render.answer(Answer(prediction, Measured("good"), "a/key"), language)


CERTAIN = Prediction(ROSE, True, 0.97, 0.9)
PERHAPS = Prediction(ROSE, True, 0.7, 0.9)
TULIP = {**ROSE, "tulips": ROSE["roses"], "roses": ROSE["tulips"]}


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", text_of(html)).strip()


def test_known_flower_is_named_with_how_far_to_trust_it() -> None:
    html = shown(CERTAIN)
    assert words_of(html).startswith("A rose. One of the five? 97% Rose 98%")
    before, _, folded = html.partition('<details class="trust">')
    assert "If it is one of the five: this sure, it is right about 90 times in 100." in text_of(folded)
    assert "Where “rose” was wrong, it was mostly a tulip." in text_of(folded)
    assert "times in 100" not in before
    assert 'data-key="a/key"' in html
    assert re.findall(r'class="flower-(\w+)" style="width:([\d.]+)%', html)[:3] == [
        ("other", "97.0"),
        ("roses", "98.0"),
        ("tulips", "1.5"),
    ]
    assert re.findall(r"examples/(\w+)_1\.webp", html) == ["roses", "tulips"]


def test_flower_is_named_under_a_condition_where_that_is_not_certain() -> None:
    assert words_of(shown(PERHAPS)).startswith("If it is one of the five, a rose. One of the five? 70% Rose 98%")
    cannot_tell = Prediction(ROSE)
    assert words_of(shown(cannot_tell)).startswith("If it is one of the five, a rose. Rose 98%")
    assert words_of(shown(PERHAPS, "de")).startswith("Wenn es eine der fünf ist, eine Rose.")
    own = Prediction({"cat": 0.99, "dog": 0.01}, True, 0.7, 0.9)
    assert words_of(shown(own)).startswith("If it is one of those it knows, cat. One it knows? 70%")


def test_refused_photo_whose_best_flower_leads_says_so_and_shows_that_flower() -> None:
    html = shown(Prediction(ROSE, False, 0.2, 0.9))
    assert "As a flower, it would be a rose." in text_of(html)
    assert re.findall(r"examples/(\w+)_1\.webp", html) == ["roses"]
    unclear = shown(Prediction({**ROSE, "roses": 0.6, "tulips": 0.38}, False, 0.2, 0.9))
    assert "it would be" not in unclear
    assert "examples/" not in unclear


def test_surer_answers_are_never_said_to_be_right_less_often() -> None:
    bins = [(0.86, 0.97), (0.99, 0.96), (0.6, 0.7), (0.4, 0.75)]
    test = {"reliability": [{"confidence": sure, "accuracy": right, "photos": 40} for sure, right in bins]}

    class Falling(Model):
        def measurements(self) -> dict[str, object]:
            return {"test": test}

    said = []
    for probability in (0.35, 0.5, 0.6, 0.7, 0.86, 0.95, 0.99):
        rest = dict.fromkeys(LABELS, (1 - probability) / 4)
        (sentence,) = render.trust(Prediction({**rest, "roses": probability}), Falling("falling"), "en")
        said.append(int(re.findall(r"about (\d+) times", sentence)[0]))
    assert said == sorted(said)
    assert len(set(said)) == 2


def test_unsure_answer_has_two_candidates() -> None:
    html = text_of(shown(Prediction({**ROSE, "roses": 0.45, "tulips": 0.4})))
    assert "Rose or tulip?" in html
    assert "It is not sure: rose 45%, tulip 40%." in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_stranger_has_no_percentage_above_its_folded_bars(language: str) -> None:
    html = shown(Prediction(ROSE, in_distribution=False, in_distribution_probability=0.01), language)
    before, _, folded = html.partition("<details")
    assert percent(0.98, language) not in before
    assert percent(0.98, language) in folded


def test_nothing_is_told_that_was_not_measured() -> None:
    html = render.answer(Answer(Prediction(ROSE), Model("new"), ""), "en")
    assert "in 100" not in html
    assert "mostly" not in html


def test_each_bar_of_how_often_it_is_right_stands_for_enough_photos() -> None:
    few = {"confidence": 0.3, "accuracy": 0.0, "photos": 10}
    html = render.reliability({"reliability": [few, *MEASURED["reliability"]]}, "en")
    assert re.findall(r">(\d+% sure)<.*?left:([\d.]+)%.*?>(\d+%)</span></div>", html) == [
        ("94% sure", "93.5", "90%"),
        ("47% sure", "46.7", "33%"),
    ]


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        ([CERTAIN, CERTAIN, PERHAPS], "Rose, say 3 of 3"),
        ([CERTAIN, PERHAPS, Prediction(ROSE)], "Rose, say 3 of 3"),
        ([Prediction(ROSE), Prediction(ROSE)], "If it is one of the five, rose, say 2 of 2"),
        ([PERHAPS, PERHAPS, CERTAIN], "If it is one of the five, rose, say 3 of 3"),
        ([CERTAIN, Prediction(ROSE, False, 0.1)], "They do not agree."),
        ([CERTAIN, Prediction(TULIP, True, 0.97, 0.9), Prediction(ROSE, False, 0.1)], "They do not agree."),
        ([Prediction(ROSE, False, 0.1), Prediction(ROSE, False, 0.1), PERHAPS], "None of the five, say 2 of 3"),
    ],
)
def test_models_headline_says_what_most_say(predictions: list[Prediction], said: str) -> None:
    html = render.models([ModelPrediction(str(at), it, 1.0) for at, it in enumerate(predictions)], {}, "en")
    assert re.findall(r'<p class="vote [^"]*">(.*?)</p>', html) == [said]


def test_names_and_problems_are_escaped() -> None:
    bad = "<img src=x onerror=alert(1)>"
    parts = [
        render.answer(Answer(Prediction({bad: 0.9, "b": 0.1}), Model(bad), bad), "en"),
        render.problem(bad, bad, bad),
        render.models(
            [ModelPrediction(bad, problem=bad), ModelPrediction(bad, Prediction({bad: 0.9, "b": 0.1}), 1.0)],
            {bad: bad},
            "en",
        ),
        render.summary([Prediction({bad: 0.9, "b": 0.1})], {bad: bad}, bad, "en"),
        render.confusion({"per_class": {bad: {}, "b": {}}, "confusion_matrix": [[1, 0], [0, 1]]}, "en"),
        render.card(bad, Prediction({bad: 0.9, "b": 0.1}), Image.new("RGB", (8, 8)), bad, "en"),
        render.mistakes(
            {"photos": 9, "mistakes": [{"photo": bad, "said": bad, "probability": 1}]}, {bad: (bad, bad)}, "en"
        ),
        render.gone(bad) + bad.replace("<", "&lt;"),
        render.hint(bad),
        render.lead([bad]),
    ]
    for html in parts:
        assert "<img src=x" not in html
        assert "alert" in html


def test_photos_are_sorted_into_folders_of_their_answers(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    rose, stranger = Prediction(ROSE), Prediction(ROSE, in_distribution=False)
    photos = [
        batch.PhotoFile("x/a.jpg", tmp_path / "a.jpg"),
        batch.PhotoFile("../../a.jpg", tmp_path / "b.jpg"),
        batch.PhotoFile("b.jpg", tmp_path / "b.jpg"),
        batch.PhotoFile("gone.jpg", tmp_path / "gone.jpg"),
    ]
    rows = [
        batch.Row("x/a.jpg", rose),
        batch.Row("../../a.jpg", rose),
        batch.Row("b.jpg", stranger),
        batch.Row("gone.jpg", problem="gone", error=InvalidImage("gone")),
    ]
    downloads.write_sorted(photos, rows, tmp_path / "sorted.zip")
    with ZipFile(tmp_path / "sorted.zip") as archive:
        assert archive.namelist() == ["roses/a.jpg", "roses/a (2).jpg", "none/b.jpg"]
        assert archive.read("roses/a (2).jpg") == b"b.jpg"


def test_folders_of_sorted_photos_are_safe_and_each_of_one_label(tmp_path: Path) -> None:
    """Classes may be called anything, "none" as well, which is the folder of strangers."""
    labels = ("..", "../../etc", "none", "None", "a/b", "con:", "trailing. ", "")
    photo = tmp_path / "x.jpg"
    photo.write_bytes(b"photo")
    rows = [batch.Row("../x.jpg", Prediction({label: 0.9, "other": 0.1})) for label in labels]
    rows.append(batch.Row("x.jpg", Prediction({"none": 0.9, "other": 0.1}, in_distribution=False)))
    downloads.write_sorted([batch.PhotoFile(row.name, photo) for row in rows], rows, tmp_path / "sorted.zip")
    with ZipFile(tmp_path / "sorted.zip") as archive:
        names = archive.namelist()
    assert len(names) == len(rows)
    folders = [name.split("/")[0].lower() for name in names]
    assert len(set(folders)) == len(rows)
    for name in names:
        assert name.count("/") == 1
        assert ".." not in name.split("/")
        assert not re.search(r'[\\:*?"<>|]|[. ]/', name)


def test_zip_of_zeros_makes_no_large_zip(tmp_path: Path) -> None:
    """What is no picture is not written, and a picture that is small in its zip stays small."""
    with ZipFile(tmp_path / "zeros.zip", "w", ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.jpg", bytes(10_000_000))
        archive.writestr("white.bmp", encoded(Image.new("RGB", (3000, 3000), "white"), "BMP"))
    photos = batch.collect([("zeros.zip", tmp_path / "zeros.zip")], 500)
    bad = InvalidImage("it is no picture")
    rows = [
        batch.Row(photo.name, Prediction(ROSE))
        if photo.name.endswith("bmp")
        else batch.Row(photo.name, problem="it is no picture", error=bad)
        for photo in photos
    ]
    downloads.write_sorted(photos, rows, tmp_path / "sorted.zip")
    with ZipFile(tmp_path / "sorted.zip") as archive:
        assert archive.namelist() == ["roses/white.bmp"]
    assert (tmp_path / "sorted.zip").stat().st_size < 2 * (tmp_path / "zeros.zip").stat().st_size + 1_000_000
    everything = [batch.Row(photo.name, Prediction(ROSE)) for photo in photos]
    downloads.write_sorted(photos, everything, tmp_path / "all.zip")
    assert (tmp_path / "all.zip").stat().st_size < 2 * (tmp_path / "zeros.zip").stat().st_size + 1_000_000


def test_classes_cannot_take_the_names_of_other_columns(tmp_path: Path) -> None:
    labels = ["photo", "problem", "label", "probability", "in_distribution", "=1+1"]
    prediction = Prediction(dict(zip(labels, (0.5, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True)))
    rows = [batch.Row("a.jpg", prediction), batch.Row("b.jpg", problem="damaged")]
    downloads.write_csv(rows, labels, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    assert [line["photo"] for line in lines] == ["a.jpg", "b.jpg"]
    assert [line["problem"] for line in lines] == ["", "damaged"]
    assert lines[0]["label"] == "photo"
    assert [lines[0][f"probability_{label}"] for label in labels] == ["0.5", "0.1", "0.1", "0.1", "0.1", "0.1"]
    assert not any(column.startswith(downloads.FORMULA) for column in lines[0])
