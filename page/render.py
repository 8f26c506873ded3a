"""What the page shows, as HTML: the answer to a photo, all models' answers, many photos, and the figures of a model.

Everything that comes from outside (names of files, labels, models and problems) is escaped here, and only here.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

from PIL import Image

from flower_alexnet import LABELS, AlexNet, Prediction
from flower_alexnet.registry import Model
from flower_alexnet.words import capitalized
from page.answers import Answer, ModelPrediction
from page.models import MODELS
from page.subject import ABOUT_FLOWERS
from page.translations import a_flower, flower_name, listed, percent, translate
from page.wording import candidates, in_words, known_names, knows_flowers, model_title

REFERENCES = 3
"""Photos of each flower to compare with: ``examples/LABEL_1.webp`` and on."""

LEADING = 0.7
"""Probability of a label from which on a refused photo is told what it would be."""

MISTAKES = 8
"""Mistakes that are shown before somebody asks for all of them."""

ENOUGH = 30
"""Least test photos of which it is told how often answers of some probability are right."""


def answer(given: Answer, language: str) -> str:
    """Return the answer to a photo: its heading, how far to trust it, a bar for each flower, and photos to compare."""
    prediction, model = given.prediction, given.model
    labels = [label for label, _ in prediction.top(len(prediction.probabilities))]
    bars, five = _bars(prediction, language), knows_flowers(prediction)
    known = _known_bar(prediction, language)
    if prediction.verdict == "none":
        names = listed([flower_name(label, language) for label in known_names(prediction)], language)
        body = (
            f"<h2>{escape(in_words(prediction, language))}</h2>"
            f'<p class="why">{escape(translate("none_why", language, flowers=names))}</p>'
            f"{_as_one_of_them(prediction, language)}"
            f'{known}<p class="tip">{escape(translate("tip", language))}</p>'
            f'<details class="choice"><summary>{escape(translate("had_to_choose", language))}</summary>{bars}</details>'
            f"{_references(labels[:1], language) if _leads(prediction) else ''}"
        )
        return _panel(given, body)
    why = ""
    if prediction.is_confident:
        name = escape(a_flower(labels[0], language))
        if prediction.verdict == "certain":
            name, condition = capitalized(name), ""
        else:
            key = "if_five" if five else "if_known"
            condition = f'<small class="if">{escape(translate(key, language))}</small> '
        end = escape(translate("full_stop", language))
        heading = f'{condition}<span class="name {_flower(labels[0])}">{name}{end}</span>'
    else:
        heading = f'<span class="name">{escape(in_words(prediction, language))}</span>'
        one, other = candidates(prediction)
        why = translate(
            "unsure_why",
            language,
            one=flower_name(one, language),
            other=flower_name(other, language),
            one_probability=percent(prediction.probabilities[one], language),
            other_probability=percent(prediction.probabilities[other], language),
        )
    reason = f'<p class="why">{escape(why)}</p>' if why else ""
    press = f'<p class="press">{escape(translate("press_bar", language))}</p>'
    body = f"<h2>{heading}</h2>{reason}{known}{bars}{press}{_trust(prediction, model, language)}"
    return _panel(given, body + _references(labels[:2], language))


def _known_bar(prediction: Prediction, language: str) -> str:
    """Return the bar of how probably a photo shows one of the known classes at all; nothing if that is not known."""
    if prediction.in_distribution_probability is None:
        return ""
    name = translate("one_of_five" if knows_flowers(prediction) else "one_of_known", language)
    probability = prediction.in_distribution_probability
    return (
        f'<div class="bars known"><div class="bar" data-label="?"><span class="n">{escape(name)}</span><span class="t">'
        f'<i class="flower-other" style="width:{100 * probability:.1f}%"></i></span>'
        f'<span class="p">{escape(percent(probability, language))}</span></div></div>'
    )


def _leads(prediction: Prediction) -> bool:
    """Return whether one label leads clearly."""
    return prediction.probability >= LEADING


def _as_one_of_them(prediction: Prediction, language: str) -> str:
    """Return which of the classes a refused photo would be, if one leads clearly."""
    if not _leads(prediction):
        return ""
    key = "as_one_of_five" if knows_flowers(prediction) else "as_one_of_known"
    words = translate(key, language, flower=a_flower(prediction.label, language))
    return f'<p class="as-one {_flower(prediction.label)}">{escape(words)}</p>'


def _trust(prediction: Prediction, model: Model, language: str) -> str:
    """Return, behind a tap, how often such answers are right; nothing if that is not known."""
    sentences = trust(prediction, model, language) if prediction.is_confident else []
    if not sentences:
        return ""
    summary = escape(translate("how_far", language))
    return (
        f'<details class="trust"><summary>{summary}</summary><p class="why">{escape(" ".join(sentences))}</p></details>'
    )


def problem(title: str, words: str, key: str = "") -> str:
    """Return what is shown in place of an answer."""
    return (
        f'<div class="panel problem" data-key="{escape(key)}"><h2>{escape(title)}</h2>'
        f'<p class="why">{escape(words)}</p></div>'
    )


def gone(key: str) -> str:
    """Return what tells ``page.js`` to send the photo again: it was deleted here."""
    return f'<div class="panel gone" data-key="{escape(key)}"></div>'


def trust(prediction: Prediction, model: Model, language: str) -> list[str]:
    """Return sentences on how often such answers are right, and on what the flower is mistaken for, if it is known."""
    sentences = []
    test = model.measurements().get("test")
    if (right := _right_of_100(test, prediction.probability)) is not None:
        key = "how_often" if knows_flowers(prediction) else "how_often_known"
        sentences.append(translate(key, language, number=right))
    if (other := _mistaken_for(test, prediction.label)) is not None:
        names = {"flower": flower_name(prediction.label, language), "other": a_flower(other, language)}
        sentences.append(translate("mistaken_for", language, **names))
    return sentences


def _vote(said: str, count: int, models: int, language: str) -> str:
    return translate("vote", language, flower=said, count=count, all=models)


def models(answers: Sequence[ModelPrediction], described: Mapping[str, str], language: str) -> str:
    """Return the photo, which ``page.js`` fills in, and a card for each model: its answer, its bars, and what it is.

    Args:
        answers: of the models.
        described: name of a model -> what there is to say of it.
        language: of the visitor.
    """
    vote = ""
    predictions = [given.prediction for given in answers if given.prediction]
    votes = [prediction.label if prediction.in_distribution else "" for prediction in predictions]
    if len(votes) > 1:
        [(most, count)] = Counter(votes).most_common(1)
        telling = [it for it in predictions if it.label == most and it.in_distribution_probability is not None]
        telling = telling or predictions  # none of them can tell what it does not know
        if 2 * count <= len(votes):
            most, words = "", translate("disagree", language)
        elif not most:
            words = _vote(translate("none_named", language), count, len(votes), language)
        elif 2 * sum(it.verdict == "conditional" for it in telling) > len(telling):
            condition = translate("if_five" if knows_flowers(telling[0]) else "if_known", language)
            words = f"{condition} {_vote(flower_name(most, language), count, len(votes), language)}"
        else:
            words = _vote(capitalized(flower_name(most, language)), count, len(votes), language)
        vote = f'<p class="vote {_flower(most) if most else ""}">{escape(words)}</p>'
    photo = f'<div class="of" role="img" aria-label="{escape(translate("photo", language))}"></div>'
    cards = [f'<div class="said">{photo}{vote}</div>']
    for given in answers:
        model = MODELS.get(given.model)
        name = f"<h2>{escape(model_title(model, language) if model else given.model)}</h2>"
        if given.prediction is None:
            cards.append(f'<article>{name}<p class="why">{escape(given.problem or "")}</p></article>')
            continue
        words, bars = escape(in_words(given.prediction, language)), _bars(given.prediction, language, buttons=False)
        took = translate("milliseconds", language, number=round(given.milliseconds or 0))
        known = given.prediction.in_distribution
        cards.append(
            f'<article class="{"" if known else "unknown"}">{name}<p class="words">{words}</p>'
            f'<p class="took">{escape(took)}</p>{bars}'
            f'<p class="took">{escape(described.get(given.model, ""))}</p></article>'
        )
    return "".join(cards)


def known_models(words: str, described: Mapping[str, str], language: str) -> str:
    """Return words on why there are no answers, and a card for each model with what there is to say of it."""
    cards = (
        f"<article><h2>{escape(model_title(model, language))}</h2>"
        f'<p class="why">{escape(described[model.name])}</p></article>'
        for model in MODELS.all()
        if model.name in described
    )
    return hint(words) + "".join(cards)


def card(name: str, prediction: Prediction, thumbnail: Image.Image, at: str, language: str) -> str:
    """Return one of many photos with its answer, which can be pressed to look closer.

    Args:
        name: of its file.
        prediction: of it.
        thumbnail: of it.
        at: where the whole photo is here; empty if it is not at hand.
        language: of the visitor.
    """
    words, look = in_words(prediction, language), translate("look_closer", language, name=name)
    label = prediction.label if prediction.in_distribution else ""
    known = 1 if prediction.in_distribution_probability is None else prediction.in_distribution_probability
    sure = known * prediction.probability if prediction.in_distribution else 1 - known
    return (
        f'<figure class="{_flower(label) if label else "unknown"} {prediction.verdict}" data-label="{escape(label)}" '
        f'data-sure="{sure:.4f}" data-at="{escape(at)}" data-name="{escape(name)}">'
        f'<button type="button" aria-label="{escape(look)}"><img src="{escape(data_url(thumbnail))}" alt=""></button>'
        f"<figcaption><b>{escape(words)}</b> <span>{escape(name)}</span></figcaption></figure>"
    )


def photos(cards: Sequence[str]) -> str:
    """Return many photos with their answers, as ``card`` makes each."""
    return "".join(cards)


def lead(sentences: Sequence[str]) -> str:
    """Return sentences as one paragraph."""
    return f'<p class="lead">{escape(" ".join(sentences))}</p>'


class Figure(NamedTuple):
    """What was measured.

    Args:
        sentence: in words.
        of_hundred: how many of 100 photos it counts, 0-100; None if nothing is counted.
        good: whether the more the better.
    """

    sentence: str
    of_hundred: int | None
    good: bool = True


def figures(told: Sequence[Figure]) -> str:
    """Return figures beside each other, each with a hundred dots of which as many as it counts are filled."""
    each = "".join(
        f'<figure class="{"good" if one.good else "bad"}">{_dots(one.of_hundred)}'
        f"<figcaption>{escape(one.sentence)}</figcaption></figure>"
        for one in told
    )
    return f'<div class="figures">{each}</div>' if each else ""


def _dots(filled: int | None) -> str:
    if filled is None:
        return ""
    filled = min(100, max(0, filled))
    paths = [
        "".join(f"M{10 * (at % 10) + 5} {10 * (at // 10) + 5}h0" for at in some)
        for some in (range(filled), range(filled, 100))
    ]
    return (
        f'<b>{filled}<small> / 100</small></b><svg viewBox="0 0 100 100" aria-hidden="true"><path d="{paths[0]}"/>'
        f'<path d="{paths[1]}"/></svg>'
    )


def section(heading: str, body: str, language: str) -> str:
    """Return a part of a page under its heading, or nothing where the part is empty."""
    return f'<section class="part"><h2>{escape(translate(heading, language))}</h2>{body}</section>' if body else ""


def data_url(image: Image.Image, kind: str = "JPEG", quality: int = 85) -> str:
    """Return an image as an address that holds it, which no other visitor can guess."""
    content = io.BytesIO()
    image.save(content, kind, quality=quality)
    return f"data:image/{kind.lower()};base64,{b64encode(content.getvalue()).decode()}"


def layers(network: AlexNet) -> str:
    """Return a network's layers, a line each."""
    return f"<pre>{escape(str(network))}</pre>"


def hint(words: str) -> str:
    """Return one quiet sentence."""
    return f'<p class="why">{escape(words)}</p>'


def cancelled(done: int, photos: int, language: str) -> str:
    """Return that the visitor cancelled, and how many of the photos were done."""
    return hint(f"{translate('cancelled', language)} {translate('done', language, done=done, all=photos)}")


def progress(done: int, photos: int, language: str) -> str:
    """Return how many of the photos are done, as words and a bar."""
    words = escape(translate("done", language, done=done, all=photos))
    return f'<p class="words">{words}</p><progress max="{photos}" value="{done}" aria-label="{words}"></progress>'


def summary(predictions: Sequence[Prediction], problems: Mapping[str, str], model: str, language: str) -> str:
    """Return how many photos show what, by which model, and why some cannot be used.

    Args:
        predictions: of the photos that can be used.
        problems: name of each other photo -> what is wrong with it, in words.
        model: that answered.
        language: of the visitor.
    """
    counts = Counter(prediction.label if prediction.in_distribution else "" for prediction in predictions)
    unknown = counts.pop("", 0)
    parts = [
        _filter(label, translate("summary_flower", language, count=count, flower=flower_name(label, language)))
        for label, count in counts.most_common()
    ]
    if unknown:
        parts.append(_filter("", translate("summary_none", language, count=unknown)))
    if doubtful := sum(prediction.verdict == "conditional" for prediction in predictions):
        parts.append(_filter("?", translate("summary_doubtful", language, count=doubtful)))
    if problems:
        parts.append(
            f'<span class="chip">{escape(translate("summary_unusable", language, count=len(problems)))}</span>'
        )
    if len(predictions) > 1:
        unsure = escape(translate("unsure_first", language))
        parts.append(f'<button type="button" class="chip sort" aria-pressed="false">{unsure}</button>')
    by = hint(translate("answered_by", language, model=model)) if predictions else ""
    reasons = "".join(f"<li><b>{escape(name)}</b> {escape(why)}</li>" for name, why in problems.items())
    return f'<p class="chips">{"".join(parts)}</p>{by}' + (f'<ul class="reasons">{reasons}</ul>' if reasons else "")


def _filter(label: str, words: str) -> str:
    """Return a button that shows the photos of one answer alone, which ``page.js`` makes work; "" is for none of them,
    "?" for the answers that hold if it is one of them."""
    return (
        f'<button type="button" class="chip {_flower(label) if label.strip("?") else ""}" data-label="{escape(label)}" '
        f'aria-pressed="false">{escape(words)}</button>'
    )


def confusion(test: Mapping[str, Any], language: str) -> str:
    """Return the confusion matrix as a table: a row a true flower, a column an answer, darker the more photos."""
    labels, counts = list(test["per_class"]), test["confusion_matrix"]
    names = [escape(flower_name(label, language)) for label in labels]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = max(1, sum(row))
        cells = "".join(f'<td style="--share:{count / total:.3f}">{int(count)}</td>' for count in row)
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    corner = f"{escape(translate('true_flower', language))} ↓ {escape(translate('said_flower', language))} →"
    return (
        f'<div class="scroll"><table class="confusion"><thead><tr><th scope="col">{corner}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def mistakes(test: Mapping[str, Any], photographers: Mapping[str, tuple[str, str]], language: str) -> str:
    """Return the test photos that a model gets wrong, the worst first, each with its flower and the answer; nothing if
    the page does not have all of them.

    Args:
        test: metrics of the test photos.
        photographers: of the photos that the page has, by their names.
        language: of the visitor.
    """
    tiles = []
    for row in test.get("mistakes", []):
        name = str(row["photo"])
        if name not in photographers:
            return ""  # some could not be shown
        by, address = photographers[name]
        true, said = (capitalized(flower_name(label, language)) for label in (name.partition("/")[0], row["said"]))
        credit = escape(translate("photo_by", language, name=by))
        alt = f"{escape(true)}. {credit}" if by else escape(true)
        image = (
            f'<img src="examples/gallery/{escape(quote(name))}.webp" alt="{alt}" width="112" height="112" '
            'loading="lazy">'
        )
        if address:
            image = f'<a href="{escape(address)}" target="_blank" rel="noopener" title="{credit}">{image}</a>'
        tiles.append(
            f'<figure>{image}<figcaption><b class="name {_flower(name.partition("/")[0])}">{escape(true)}</b>'
            f"{escape(translate('said', language, flower=said, probability=percent(row['probability'], language)))}"
            "</figcaption></figure>"
        )
    if not tiles:
        return ""
    how = hint(translate("mistakes_how", language, number=len(tiles), photos=test["photos"]))
    first, rest = "".join(tiles[:MISTAKES]), "".join(tiles[MISTAKES:])
    more = f"<summary>{escape(translate('show_all', language, number=len(tiles)))}</summary>"
    folded = f'<details>{more}<div class="mistakes">{rest}</div></details>' if rest else ""
    return f'{how}<div class="mistakes">{first}</div>{folded}'


def own_mistakes(picture: Image.Image, language: str) -> str:
    """Return the picture of the test photos that a model of one's own gets wrong."""
    words = escape(translate("own_mistakes", language))
    return f'<p class="why">{words}</p><img class="own-mistakes" src="{escape(data_url(picture))}" alt="{words}">'


def reliability(test: Mapping[str, Any], language: str) -> str:
    """Return bars of how often answers were right, each with a mark at how sure the model was of them.

    Bins of few photos are joined, until each bar stands for ``ENOUGH``.
    """
    groups: list[list[Mapping[str, Any]]] = [[]]
    for row in sorted(test["reliability"], key=lambda row: -row["confidence"]):
        if sum(row["photos"] for row in groups[-1]) >= ENOUGH:
            groups.append([])
        groups[-1].append(row)
    if len(groups) > 1 and sum(row["photos"] for row in groups[-1]) < ENOUGH:
        last = groups.pop()
        groups[-1] += last
    rows = []
    for group in groups:
        photos = sum(row["photos"] for row in group)
        sure, right = (sum(row[key] * row["photos"] for row in group) / photos for key in ("confidence", "accuracy"))
        name = escape(translate("sure_of", language, probability=percent(sure, language)))
        share = escape(percent(right, language))
        rows.append(
            f'<div class="bar"><span class="n">{name}</span><span class="t"><i style="width:{100 * right:.1f}%"></i>'
            f'<u style="left:{100 * sure:.1f}%"></u></span><span class="p">{share}</span></div>'
        )
    return f'{hint(translate("reliability_how", language))}<div class="bars">{"".join(rows)}</div>'


def _panel(given: Answer, body: str) -> str:
    known = given.prediction.in_distribution
    return (
        f'<div class="panel{"" if known else " unknown"}" data-key="{escape(given.key)}" '
        f'data-model="{escape(given.model.name)}" data-label="{escape(given.prediction.label)}" '
        f'data-known="{int(known)}"{" data-turned" if given.turned else ""}>{body}</div>'
    )


def _bars(prediction: Prediction, language: str, buttons: bool = True) -> str:
    rows = []
    for label, probability in prediction.top(5):
        name, share = flower_name(label, language), percent(probability, language)
        bar = (
            f'<span class="n">{escape(capitalized(name))}</span><span class="t"><i class="{_flower(label)}" '
            f'style="width:{100 * probability:.1f}%"></i></span><span class="p">{escape(share)}</span>'
        )
        if buttons:
            what = escape(translate("bar", language, flower=name, probability=share))
            rows.append(
                f'<button type="button" class="bar" data-label="{escape(label)}" aria-label="{what}" title="{what}">'
                f"{bar}</button>"
            )
        else:
            rows.append(f'<div class="bar">{bar}</div>')
    return f'<div class="bars">{"".join(rows)}</div>'


def _references(labels: Sequence[str], language: str) -> str:
    """Return photos of two flowers to compare with, if there are any: of the five alone."""
    rows = []
    for label in labels:
        if not ABOUT_FLOWERS or label not in LABELS:
            return ""
        photos = "".join(
            f'<img src="examples/{label}_{number}.webp" alt="{escape(flower_name(label, language))}" '
            'width="66" height="66" loading="lazy">'
            for number in range(1, REFERENCES + 1)
        )
        name = escape(capitalized(flower_name(label, language)))
        marks = escape(translate(f"marks_{label}", language))
        rows.append(
            f'<div class="ref" data-label="{escape(label)}"><div class="thumbs">{photos}</div>'
            f'<p><b class="name {_flower(label)}">{name}</b> {marks}</p></div>'
        )
    heading, more = (escape(translate(key, language)) for key in ("compare_yourself", "most_alike"))
    button = f'<button type="button" class="pill alikes">{more}</button>'
    return f'<section class="references"><h3>{heading}</h3>{"".join(rows)}{button}</section>'


def _flower(label: str) -> str:
    """Return the CSS class of a flower's color."""
    return f"flower-{label}" if label in LABELS else "flower-other"


def _right_of_100(test: Any, probability: float) -> int | None:
    """Return how many of 100 answers of about this probability are right, from at least ``ENOUGH`` test photos; of
    surer ones never fewer."""
    try:
        bins = sorted(_rising(test["reliability"]), key=lambda row: abs(row["confidence"] - probability))
        right = photos = 0.0
        for row in bins:
            right, photos = right + row["accuracy"] * row["photos"], photos + row["photos"]
            if photos >= ENOUGH:
                return min(99, round(100 * right / photos))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        pass
    return None


def _rising(reliability: Any) -> list[dict[str, float]]:
    """Return bins of confidence whose accuracies do not fall: neighbors that do are joined, as photos of one bin."""
    joined: list[list[float]] = []  # sum of confidences, right answers and photos
    for row in sorted(reliability, key=lambda row: row["confidence"]):
        number = row["photos"]
        joined.append([row["confidence"] * number, row["accuracy"] * number, number])
        while len(joined) > 1 and joined[-2][1] / joined[-2][2] >= joined[-1][1] / joined[-1][2]:
            last = joined.pop()
            joined[-1] = [one + other for one, other in zip(joined[-1], last, strict=True)]
    return [{"confidence": sure / n, "accuracy": right / n, "photos": n} for sure, right, n in joined]


def _mistaken_for(test: Any, label: str) -> str | None:
    """Return the true label of most of the test photos that were given a label wrongly."""
    try:
        labels = list(test["per_class"])
        answer = labels.index(label)
        counts = {true: row[answer] for true, row in zip(labels, test["confusion_matrix"], strict=True)}
        counts.pop(label)
        other = max(counts, key=lambda true: counts[true])
        return other if counts[other] > 0 else None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None
