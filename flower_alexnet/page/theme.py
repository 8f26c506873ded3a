"""The look of the page: Gradio's theme and what CSS adds to it."""

import gradio as gr

THEME = gr.themes.Soft(
    primary_hue="green",
    font=["system-ui", "sans-serif"],  # the visitor's own fonts: no request to another host
    font_mono=["ui-monospace", "monospace"],
).set(  # contrast of text of at least 4.5:1
    block_label_text_color="*primary_800",
    block_title_text_color="*primary_800",
    block_info_text_color="*neutral_600",
    body_text_color_subdued="*neutral_600",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    color_accent="*primary_700",
    block_label_background_fill_dark="*primary_700",
    block_title_background_fill_dark="*primary_700",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_secondary_background_fill_hover_dark="*neutral_500",
    link_text_color_dark="*secondary_300",
)

CSS = """
#answer.stale > * { visibility: hidden; }
#explanation.stale, #comparison.stale { display: none; }
.dark { --color-accent: var(--primary-400); }
#gallery .fixed-height { min-height: 0; }
@media (max-width: 640px) { #examples .gallery-item { --size-20: 52px; } }
"""
