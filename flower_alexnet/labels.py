"""The five flowers: the names a network is trained on, and how they are shown to people."""

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""Class names, in the order of the logits; the folders of flower_photos are named so."""

DISPLAY_NAMES = {
    "en": dict(zip(LABELS, ("daisy", "dandelion", "rose", "sunflower", "tulip"), strict=True)),
    "zh-CN": dict(zip(LABELS, ("雏菊", "蒲公英", "玫瑰", "向日葵", "郁金香"), strict=True)),
    "es": dict(zip(LABELS, ("margarita", "diente de león", "rosa", "girasol", "tulipán"), strict=True)),
    "de": dict(zip(LABELS, ("Gänseblümchen", "Löwenzahn", "Rose", "Sonnenblume", "Tulpe"), strict=True)),
}
"""Language -> class name -> the name of one such flower."""


def flower_name(label: str, language: str = "en") -> str:
    """What people call a flower of a class; a class that is none of the five keeps its own name."""
    return DISPLAY_NAMES[language].get(label, label)
