"""The five flowers: the names a network is trained on, and how they are shown to people."""

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""Class names, in the order of the logits; the folders of flower_photos are named so."""

DISPLAY_NAMES = {
    "en": {
        "daisy": "daisy",
        "dandelion": "dandelion",
        "roses": "rose",
        "sunflowers": "sunflower",
        "tulips": "tulip",
    },
}
"""Language -> class name -> the name of one such flower."""
