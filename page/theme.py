"""The look of the page: Gradio's theme, and the CSS of what the page draws itself."""

import gradio as gr

GROUND, CARD, INK, SOFT, LINE, LEAF = "#f6f3ec", "#fffdf9", "#22301f", "#566151", "#e4dfd2", "#2f6b3a"
GROUND_DARK, CARD_DARK, INK_DARK = "#141814", "#1d231d", "#eef2e9"
SOFT_DARK, LINE_DARK, LEAF_DARK = "#a9b5a3", "#2e372d", "#8fd09b"

THEME = gr.themes.Base(
    primary_hue="green",
    neutral_hue="stone",
    radius_size="lg",
    font=["system-ui", "sans-serif"],  # the visitor's own fonts: no request to another host
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill=GROUND,
    body_background_fill_dark=GROUND_DARK,
    body_text_color=INK,
    body_text_color_dark=INK_DARK,
    body_text_color_subdued=SOFT,
    body_text_color_subdued_dark=SOFT_DARK,
    background_fill_primary=CARD,
    background_fill_primary_dark=CARD_DARK,
    background_fill_secondary=GROUND,
    background_fill_secondary_dark=GROUND_DARK,
    block_background_fill=CARD,
    block_background_fill_dark=CARD_DARK,
    block_border_color=LINE,
    block_border_color_dark=LINE_DARK,
    block_radius="20px",
    block_label_background_fill=CARD,
    block_label_background_fill_dark=CARD_DARK,
    block_label_text_color=SOFT,
    block_label_text_color_dark=SOFT_DARK,
    block_title_text_color=SOFT,
    block_title_text_color_dark=SOFT_DARK,
    block_info_text_color=SOFT,
    block_info_text_color_dark=SOFT_DARK,
    border_color_primary=LINE,
    border_color_primary_dark=LINE_DARK,
    border_color_accent=LEAF,
    border_color_accent_dark=LEAF_DARK,
    color_accent=LEAF,
    color_accent_soft=GROUND,
    color_accent_soft_dark=LINE_DARK,
    input_background_fill=CARD,
    input_background_fill_dark=CARD_DARK,
    input_border_color=LINE,
    input_border_color_dark=LINE_DARK,
    button_primary_background_fill=LEAF,
    button_primary_background_fill_hover="#25552e",
    button_primary_background_fill_dark=LEAF_DARK,
    button_primary_background_fill_hover_dark="#a9dcb2",
    button_primary_text_color=CARD,
    button_primary_text_color_dark=CARD_DARK,
    button_secondary_background_fill=CARD,
    button_secondary_background_fill_dark=CARD_DARK,
    button_secondary_text_color=LEAF,
    button_secondary_text_color_dark=LEAF_DARK,
    button_secondary_border_color=LINE,
    button_secondary_border_color_dark=LINE_DARK,
    button_large_radius="999px",
    button_small_radius="999px",
    link_text_color=LEAF,
    link_text_color_dark=LEAF_DARK,
    link_text_color_visited=LEAF,
    link_text_color_visited_dark=LEAF_DARK,
    loader_color=LEAF,
    loader_color_dark=LEAF_DARK,
    table_border_color=LINE,
    table_border_color_dark=LINE_DARK,
    table_even_background_fill=CARD,
    table_even_background_fill_dark=CARD_DARK,
    table_odd_background_fill=CARD,
    table_odd_background_fill_dark=CARD_DARK,
)

FLOWER_COLORS = {
    "daisy": ("#3f76c2", "#8db6ee"),
    "dandelion": ("#8f6b00", "#f0c53a"),
    "roses": ("#d6245f", "#ff7ea6"),
    "sunflowers": ("#bf4e00", "#ff9a52"),
    "tulips": ("#8e3cc4", "#c993f0"),
}
"""Label -> color of its name, in the light and in the dark: contrast of at least 4.5:1 with the surface."""

BAR_COLORS = {
    "daisy": "#5b8fd6",
    "dandelion": "#e0a800",
    "roses": "#d6245f",
    "sunflowers": "#e8640c",
    "tulips": "#8e3cc4",
}
"""Label -> color of its bar, in the light; in the dark it is that of its name."""

_FLOWERS = "\n".join(
    f".flower-{label} {{ --name: {light}; --bar: {BAR_COLORS[label]}; }}\n"
    f".dark .flower-{label} {{ --name: {dark}; --bar: {dark}; }}"
    for label, (light, dark) in FLOWER_COLORS.items()
)

EARLY_STYLE = f"""<style>
#early {{ position: absolute; inset: 0; z-index: 5; box-sizing: border-box; padding: 24px max(16px, 50vw - 562px);
  background: {GROUND}; color: {INK}; font: 16px/1.4 system-ui, sans-serif; }}
body:has(.stage) #early {{ display: none; }}
body:has(#early) gradio-app {{ visibility: hidden; }}  /* what moves while it comes, nobody sees */
#early h1 {{ font-size: 22px; margin: 0; }}
#early label {{ display: grid; place-content: center; gap: 10px; text-align: center; height: min(470px, 60vh);
  margin: 24px 0; border: 2px dashed {LINE}; border-radius: 20px; background: {CARD}; cursor: pointer; }}
#early b {{ font-size: 24px; }}
#early span {{ justify-self: center; padding: 12px 24px; border-radius: 99px; font-weight: 600; color: {CARD};
  background: {LEAF}; }}
#early input {{ position: absolute; opacity: 0; width: 1px; }}
#early label:has(:focus-visible) {{ outline: 3px solid {LEAF}; }}
@media (prefers-color-scheme: dark) {{
  #early {{ background: {GROUND_DARK}; color: {INK_DARK}; }}
  #early label {{ background: {CARD_DARK}; border-color: {LINE_DARK}; }}
  #early span {{ color: {CARD_DARK}; background: {LEAF_DARK}; }}
}}
</style>"""
"""The look of what is there, and takes a photo, before the page's script has arrived and drawn the page."""

CSS = (
    f""":root {{
  --ground: {GROUND}; --card: {CARD}; --ink: {INK}; --soft: {SOFT}; --rule: {LINE}; --leaf: {LEAF}; --mute: #c9c4b6;
  --shade: 0 1px 2px #0000000d, 0 8px 28px #5a4d2a14;
}}
.dark {{
  --ground: {GROUND_DARK}; --card: {CARD_DARK}; --ink: {INK_DARK}; --soft: {SOFT_DARK}; --rule: {LINE_DARK};
  --leaf: {LEAF_DARK}; --mute: #4b554a; --shade: 0 8px 28px #0006;
}}
"""
    + _FLOWERS
    + """
.flower-other { --name: var(--leaf); --bar: var(--leaf); }
.gradio-container { background: var(--ground); overflow: clip !important; }
.gradio-container > .main { max-width: 1180px !important; margin: 0 auto; padding: 20px 28px 36px !important; }
.gradio-container .html-container { padding: 0; }
.gradio-container :focus-visible { outline: 3px solid var(--leaf); outline-offset: 2px; }

#header .gradio-style { display: flex; gap: 14px; align-items: center; min-height: 48px; }
#header svg { flex: none; }
#header h1 { font-size: 22px; line-height: 1.2; letter-spacing: -0.01em; margin: 0; color: var(--ink); }
#header p { font-size: 15px; margin: 0; color: var(--soft); }

.tab-wrapper { height: auto !important; padding: 0 !important; }
.tab-container { height: auto !important; width: auto !important; background: var(--card);
  border: 1px solid var(--rule); border-radius: 999px; padding: 4px !important; gap: 4px; }
.tab-container::after { display: none; }
.tab-container button { height: 38px !important; padding: 0 16px !important; border-radius: 999px !important;
  font-size: 15px !important; font-weight: 400; color: var(--soft) !important; white-space: nowrap; }
.tab-container button.selected { background: var(--leaf) !important; color: var(--card) !important; font-weight: 600; }
.tab-container button.selected::after { display: none !important; }
.tabs { gap: 18px !important; }
.tabitem { padding: 0 !important; border: 0 !important; }

.card { background: var(--card); border: 1px solid var(--rule); border-radius: 20px; box-shadow: var(--shade);
  padding: 24px 26px !important; gap: 0 !important; overflow: visible !important; }
.card .block, .card .form { border: 0 !important; box-shadow: none !important; background: none !important; }

#photo { min-height: 470px; }
#answer { min-height: 300px; }
#answer:not(:has(.panel)) { min-height: 530px; }
#strips { min-height: 108px; }
.tabs { min-height: 1100px; }
.stage { position: relative; background: var(--card); border: 1px solid var(--rule); border-radius: 20px;
  box-shadow: var(--shade); overflow: hidden; }
.stage [hidden] { display: none !important; }
.stage input[type="file"] { position: absolute; width: 1px; height: 1px; opacity: 0; overflow: hidden; }
.drop { height: 440px; margin: 14px; border: 2px dashed var(--mute); border-radius: 14px; display: flex; gap: 8px;
  flex-direction: column; align-items: center; justify-content: center; text-align: center; color: var(--leaf); }
.stage.over .drop { border-color: var(--leaf); background: color-mix(in srgb, var(--leaf) 8%, transparent); }
.drop h2 { font-size: 26px; font-weight: 700; line-height: 1.25; letter-spacing: -0.01em; margin: 4px 0 0;
  color: var(--ink); }
.drop p { margin: 0; color: var(--soft); font-size: 16px; }
.row { display: flex; gap: 10px; flex-wrap: wrap; justify-content: center; margin-top: 10px; }
.btn, .pill { position: relative; display: inline-flex; align-items: center; border-radius: 999px; font-weight: 600;
  cursor: pointer; }
.btn { min-height: 48px; padding: 0 24px; background: var(--leaf); color: var(--card); font-size: 16px; }
.btn.two { background: transparent; color: var(--leaf); box-shadow: inset 0 0 0 2px var(--leaf); }
.btn:has(:focus-visible), .pill:has(:focus-visible) { outline: 3px solid var(--leaf); outline-offset: 2px; }
.take { display: none; }
@media (pointer: coarse) {
  .take { display: inline-flex; }
  .drop h2, .drop p { display: none; }  /* a finger drops and pastes nothing */
}
.frame { position: relative; }
.stage { --most: 396px; }
.stage figure { position: relative; width: min(100% - 24px, var(--most) * var(--shape, 1));
  aspect-ratio: var(--shape, 1); margin: 12px auto 0; overflow: hidden; border-radius: 10px; }
.picture, .video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; margin: 0 !important; }
.heat { position: absolute; pointer-events: none; }
.square { position: absolute; box-sizing: border-box; border: 2px solid #fff; border-radius: 4px; cursor: move;
  box-shadow: 0 0 0 1px #0006, 0 0 0 2000px #10140f59; touch-action: pan-y; }
.square:focus { touch-action: none; }
.grip { position: absolute; right: -2px; bottom: -2px; width: 44px; height: 44px; cursor: nwse-resize;
  touch-action: none; }
.grip::after { content: ""; position: absolute; right: 5px; bottom: 5px; width: 16px; height: 16px; border: solid #fff;
  border-width: 0 4px 4px 0; border-radius: 0 0 4px 0; filter: drop-shadow(0 0 2px #000a); }
.filming .picture, .filming .pills > :not(.hold, .end, .where) { display: none; }
.drop .row { flex-direction: column; align-items: center; }
.drop .film[hidden] { display: inline-flex !important; visibility: hidden; }  /* nothing moves when it comes */
.trouble { margin: 0; padding: 12px 18px; color: var(--ink);
  background: color-mix(in srgb, var(--leaf) 9%, transparent); }
.unseen { display: none; }
.undecoded .picture { visibility: hidden; }
.undecoded figure { background: var(--ground); }
.undecoded .unseen { display: grid; place-items: center; position: absolute; inset: 0; color: var(--soft);
  padding: 20px; overflow-wrap: anywhere; margin: 0; }
.tip-square { position: absolute; z-index: 2; top: 12px; left: 0; right: 0; width: fit-content; margin: 0 auto;
  padding: 6px 14px; border-radius: 99px; font-size: 14px; color: #fff; background: #000b; pointer-events: none; }
.tried .tip-square, .filming .tip-square, .undecoded .tip-square, .refused .tip-square { display: none; }
.refused .where, .refused .save { display: none; }
.picture, .video { pointer-events: none; }
.pills { display: flex; gap: 8px; flex-wrap: wrap; padding: 11px 12px; }
.pill { min-height: 40px; padding: 0 15px; background: var(--card); color: var(--ink); font-size: 15px; border: 0;
  box-shadow: inset 0 0 0 1px var(--rule); }
.pill.go { background: var(--leaf); color: var(--card); }
.pill[aria-pressed="true"] { background: var(--ink); color: var(--card); }
.looked { margin: 0; padding: 10px 18px 12px; font-size: 15px; color: var(--soft); }

.strip button.play { width: auto; margin-top: 12px; padding: 0 16px; font-size: 15px; color: var(--ink);
  background: var(--card); }
#game { width: min(440px, calc(100vw - 24px)); max-height: calc(100dvh - 24px); margin: auto; padding: 20px 22px 24px;
  overflow: auto; color: var(--ink); background: var(--card); border: 1px solid var(--rule); border-radius: 20px; }
#game::backdrop { background: #000a; }
#game h2 { font-size: 30px; line-height: 1.2; margin: 24px 0 6px; text-align: center; }
#game .close { position: absolute; right: 8px; top: 6px; width: 44px; height: 44px; border: 0; background: none;
  font-size: 26px; color: var(--soft); cursor: pointer; }
#game .count { margin: 0 36px 10px 0; color: var(--soft); font-size: 15px; font-variant-numeric: tabular-nums; }
#game figure { position: relative; margin: 0 auto; width: min(300px, 42dvh); }
#game img, #game .heat { width: 100%; height: auto; aspect-ratio: 1; border-radius: 12px; display: block;
  margin: 0 !important; }
#game .heat { inset: 0; }
#game .heat[hidden] { display: none; }
#game .guess { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin: 14px 0 0; }
#game .guess button { justify-content: center; min-height: 44px; color: var(--name, var(--ink)); }
#game .chosen { background: color-mix(in srgb, var(--leaf) 14%, var(--card)); }
#game .right { box-shadow: inset 0 0 0 2px var(--leaf); }
#game .told { margin-top: 12px; }
#game .told p { margin: 2px 0; font-size: 17px; }
#game .told .credit { font-size: 13px; color: var(--soft); }
#game .btn { border: 0; margin-top: 10px; padding: 0 26px; background: var(--leaf); color: var(--card);
  font-weight: 600; }
#game h2 { font-weight: 700; }
#game .played { list-style: none; margin: 14px 0 6px; padding: 0; display: grid; gap: 10px; }
#game .played li { display: grid; grid-template-columns: 64px 1fr; gap: 12px; align-items: center; margin: 0; }
#game .played p { margin: 0; font-size: 14px; }
#game .played img { width: 64px; }
.strip + .strip { margin-top: 16px; }
.strip h3, .references h3 { font-size: 15px; font-weight: 600; margin: 0 0 8px; color: var(--soft); }
.strip .thumbs { display: flex; gap: 10px; flex-wrap: wrap; }
.strip button { padding: 0; border: 0; background: none; cursor: pointer; width: 72px; font-size: 12px;
  line-height: 1.2; color: var(--soft); vertical-align: top; }
.strip span { display: block; margin: 0 -5px; overflow-wrap: normal; letter-spacing: -0.02em; }
:lang(de) .strip span { font-size: 11px; letter-spacing: -0.03em; }
.strip .thumbs { align-items: flex-start; }
.strip img { display: block; width: 72px; height: 72px; object-fit: cover; margin: 0 0 4px !important;
  border-radius: 14px; box-shadow: var(--shade); }
.recent button { width: 56px; }
.recent img { width: 56px; height: 56px; }

.panel h2 { font-size: 40px; line-height: 1.08; letter-spacing: -0.02em; font-weight: 700; margin: 0; color: var(--ink);
  overflow-wrap: anywhere; text-wrap: balance; }
.panel h2 .name { font-size: 52px; color: var(--name, var(--ink)); }
.panel h2 small { font-size: 34px; font-weight: 600; opacity: 0.85; white-space: nowrap; }
.panel.unknown h2, .panel.problem h2 { font-size: 38px; }
.why { color: var(--soft); margin: 8px 0 16px; max-width: 48ch; font-size: 16px; line-height: 1.5; }
#said { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
#words { transition: opacity 0.15s; min-height: 300px; }
#words.stale .panel > :not(h2) { visibility: hidden; }
#words.stale { opacity: 0.6; }
#lost { position: fixed; z-index: 10; inset: auto 0 0 0; display: flex; gap: 1em; align-items: center;
  justify-content: center; padding: 0.6em 1em; background: var(--card); border-top: 1px solid var(--line);
  color: var(--ink); }
.toast-wrap:has(.error) { display: none; }
.panel h2:has(.name) { margin-bottom: 10px; }
.name { color: var(--name, var(--ink)); }
.bars { display: grid; grid-template-columns: fit-content(max(45%, 150px)) 1fr max-content; column-gap: 14px;
  margin: 0 -6px; }
.bar { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center; min-height: 34px;
  padding: 0 6px; border: 0; border-radius: 10px; background: none; text-align: left; color: var(--ink);
  font-size: 16px; }
button.bar { cursor: pointer; }
button.bar:hover, .bar.asked { background: color-mix(in srgb, var(--leaf) 9%, transparent); }
.bar .n, .bar .p { font-weight: 600; }
.bar .n { overflow-wrap: anywhere; line-height: 1.2; }
.bar .p { text-align: right; min-width: 42px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar .t { height: 16px; border-radius: 8px; overflow: hidden;
  background: color-mix(in srgb, var(--mute) 32%, transparent); }
.bar u { position: absolute; top: 0; bottom: 0; width: 3px; margin-left: -2px; background: var(--ink); }
#about .bars { max-width: 560px; }
#about .bar .t { position: relative; }
.bar i { display: block; height: 100%; min-width: 3px; border-radius: 8px; background: var(--bar, var(--leaf)); }
.unknown .bar { color: var(--soft); }
.unknown .bar i { background: var(--mute); }
.unknown .bar .n, .unknown .bar .p { font-weight: 500; }
.tip { background: color-mix(in srgb, var(--leaf) 9%, transparent); border-radius: 12px; padding: 12px 16px;
  margin: 0 0 14px; color: var(--ink); }
#words h2 .if { display: block; font-size: 19px; font-weight: 500; line-height: 1.3; color: var(--soft); }
.bars.known { border-bottom: 1px solid var(--rule); padding-bottom: 8px; margin-bottom: 8px; }
.unknown .bars.known { border: 0; margin-bottom: 0; }
.as-one { color: var(--name); font-weight: 600; margin: 0 0 8px; }
.trust summary { cursor: pointer; min-height: 32px; color: var(--soft); font-size: 15px; }
.press { margin: 4px 0 6px; font-size: 14px; color: var(--soft); }
.choice { border-top: 1px solid var(--rule); padding-top: 10px; }
.choice summary { cursor: pointer; font-weight: 600; min-height: 32px; color: var(--soft); }
.references { border-top: 1px solid var(--rule); margin-top: 14px; padding-top: 14px; }
.ref { display: grid; grid-template-columns: auto 1fr; gap: 14px; align-items: center; margin: 8px 0; }
.ref .thumbs { display: flex; gap: 6px; }
.ref img { width: 66px; height: 66px; object-fit: cover; border-radius: 10px; margin: 0 !important; }
.guide .ref { margin: 6px 0; }
.ref .thumbs a { line-height: 0; padding: 0; }
.alikes { margin-top: 4px; }
.alikes:disabled { opacity: 0.5; }
.ref p { margin: 0; font-size: 15px; line-height: 1.4; color: var(--soft); }
#model { border-top: 1px solid var(--rule) !important; border-radius: 0; margin-top: 14px; padding: 14px 0 0;
  overflow: visible; }
#model .wrap { border: 1px solid var(--rule); border-radius: 12px; box-shadow: none; }
#model input { min-height: 34px; text-overflow: ellipsis; padding-right: 22px; }
.card .form { overflow: visible !important; }

.inside { display: grid; grid-template-columns: 300px 1fr; gap: 22px; align-items: start; color: var(--ink); }
.inside aside { position: sticky; top: 12px; }
.inside aside, .inside .station { background: var(--card); border: 1px solid var(--rule); border-radius: 20px;
  padding: 20px 22px; box-shadow: var(--shade); }
.inside .story { display: grid; grid-template-columns: minmax(0, 1fr); gap: 18px; min-width: 0; }
.inside .story > .why { margin: 0; font-size: 18px; }
.inside h3 { margin: 0 0 4px; font-size: 22px; color: var(--ink); }
.inside .alike { min-height: 150px; }
.inside p { margin: 0 0 12px; overflow-wrap: anywhere; line-height: 1.5; color: var(--soft); max-width: 70ch; }
.inside .size { margin: 12px 0 6px; font-size: 14px; max-width: none; }
.inside .code { margin: 12px 0 0; font-size: 13px; color: var(--soft); }
.inside .code summary { cursor: pointer; min-height: 32px; }
.inside .code pre { overflow-x: auto; margin: 4px 0; line-height: 1.5; }
.inside .pooled { margin: 14px 0 0; padding-left: 14px; border-left: 3px solid var(--rule); font-size: 14px; }
.exciting:not(:empty) { margin-top: 10px; }
.exciting .alike { grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); min-height: 0; }
.boxed { display: block; position: relative; }
.boxed i, .seen i { position: absolute; box-sizing: border-box; border: 2px solid #fff; box-shadow: 0 0 0 1px #000; }
.seen { position: relative; line-height: 0; }
.seen canvas { width: 100%; height: auto; aspect-ratio: 1; border-radius: 10px; }
.seen, .stack { overflow: hidden; border-radius: 10px; }
.seen .over, .stack .over { position: absolute; border-radius: 0; }
.seen .over[hidden], .seen i[hidden] { display: none; }
.kernels { display: grid; grid-template-columns: repeat(auto-fill, minmax(40px, 1fr)); gap: 6px; }
.maps { display: grid; grid-template-columns: repeat(12, 1fr); gap: 6px; }
.seen:has(.over:not([hidden])) .arrives, .stack:has(.over:not([hidden])) .arrives { filter: grayscale(0.8); }
.strip-of { width: 100%; height: auto; aspect-ratio: 8; image-rendering: pixelated; border-radius: 8px;
  margin-bottom: 14px; }
.inside .then { margin-top: 20px; }
.inside .sum, .inside tr:has(.sum) td { font-weight: 700; border-top: 2px solid var(--rule) !important; }
.inside button, .chips > * { margin: 0 !important; }
.inside button:not(.pill) { padding: 0; border: 0; background: none; line-height: 0; cursor: pointer;
  border-radius: 6px; }
.inside button canvas { width: 100%; height: auto; aspect-ratio: 1; image-rendering: pixelated; border-radius: 6px; }
.inside button.laid { outline: 3px solid var(--leaf); }
.alike { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 12px; }
.alike figure { margin: 0; }
.alike img { width: 100%; height: auto; aspect-ratio: 1; border-radius: 10px; margin: 0 !important; }
.alike figcaption { font-weight: 600; font-size: 15px; }
.alike small { color: var(--soft); font-size: 12px; overflow-wrap: anywhere; }
.inside table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.inside table, .inside tr, .inside thead, .inside th, .inside td { border: 0 !important; background: none; }
.inside th, .inside td { padding: 6px 18px 6px 0 !important; text-align: right; }
.inside th:first-child { text-align: left; }
.break { display: grid; grid-template-columns: minmax(0, 260px) 1fr; gap: 20px; align-items: start; }
.break canvas { width: 100%; height: auto; aspect-ratio: 1; border-radius: 10px; cursor: crosshair;
  touch-action: none; }
.stack { position: relative; line-height: 0; }
.stack .over { pointer-events: none; }
.stack .over[hidden] { display: none; }
.break .row { display: flex; flex-wrap: wrap; justify-content: start; gap: 10px; margin: 8px 0; }
.alike a { display: block; padding: 0; }
.break label { display: grid; grid-template-columns: 100px 1fr 30px; gap: 10px; align-items: center; min-height: 40px; }
.break input { accent-color: var(--leaf); width: 100%; }
.break .bars { margin-top: 10px; }
@media (max-width: 820px) {
  .inside, .break { grid-template-columns: minmax(0, 1fr); }
  .maps { grid-template-columns: repeat(6, 1fr); }
  .inside aside { top: 0; z-index: 2; display: grid; grid-template-columns: 130px 1fr; gap: 4px 14px;
    padding: 10px 14px; }
  .inside aside .seen { grid-area: 1 / 1 / span 2; }
  .inside aside h3 { font-size: 18px; }
  .inside aside p { font-size: 13px; line-height: 1.35; margin: 0; }
  .stack { max-width: 300px; }
}
#models .gradio-style { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 18px; }
#models .gradio-style > .why, #models .said { grid-column: 1 / -1; }
#models .said { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; }
#models .said .why { flex: 1 1 100%; margin: 0; }
#models .of { flex: none; width: 120px; height: 120px; border-radius: 20px; background: var(--shown) center / cover; }
#models .vote { margin: 0; font-size: 28px; font-weight: 700; color: var(--name, var(--ink)); }
#models article { background: var(--card); border: 1px solid var(--rule); border-radius: 20px; padding: 20px 22px;
  box-shadow: var(--shade); }
#models h2 { font-size: 15px; font-weight: 600; color: var(--soft); margin: 0; min-height: 2.5em; }
.words { font-size: 24px; line-height: 1.2; font-weight: 700; margin: 4px 0 2px; color: var(--ink); }
.took { font-size: 14px; color: var(--soft); margin: 0 0 8px; }
#models .bar { min-height: 28px; }
#models .bars + .took { margin: 14px 0 0; }

#many { gap: 16px; }
#files { border: 2px dashed var(--mute); box-shadow: none; }
#many:has(#files table) #files, #many:not(:has(#files table)) #adding { display: none; }
.adding { display: flex; gap: 10px; }
.adding .pill { margin: 0; }
#files > label { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
#files [data-testid="upload-text"] { display: block; position: relative; min-height: 0; padding: 66px 12px 0;
  text-align: center; color: var(--leaf); font-size: 16px; font-weight: 600; line-height: 1.7; }
#files [data-testid="upload-text"]::first-line { color: var(--ink); font-size: 19px; font-weight: 700; }
#files [data-testid="upload-icon"] { position: absolute; top: 20px; left: calc(50% - 19px); width: 38px;
  color: var(--leaf); }
#files .or { display: block; height: 0; overflow: hidden; }
#status progress { width: 100%; height: 10px; accent-color: var(--leaf); }
.chips { display: flex; flex-wrap: wrap; gap: 8px; margin: 0 0 8px; }
.chip { border-radius: 999px; padding: 5px 14px; font-weight: 600; color: var(--ink);
  background: color-mix(in srgb, var(--bar, var(--mute)) 14%, var(--card)); border: 1px solid var(--rule); }
button.chip { cursor: pointer; min-height: 36px; }
button.chip[aria-pressed="true"] { color: var(--card); background: var(--ink); }
.reasons { margin: 0 0 8px; padding: 0 !important; list-style: none !important; color: var(--soft);
  overflow-wrap: anywhere; }
#photos .gradio-style { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 14px; }
#photos figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 14px;
  overflow: hidden; content-visibility: auto; contain-intrinsic-size: 160px 220px; }
#photos figure[hidden] { display: none; }
#photos figure button { display: block; width: 100%; padding: 0; border: 0; background: none; cursor: zoom-in; }
#photos .certain b { color: var(--name, var(--ink)); }
#photos .conditional { border-style: dashed; }
#photos .none img { opacity: 0.6; }
#photos img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; margin: 0 !important; }
#photos figcaption { padding: 8px 12px 10px; font-size: 15px; line-height: 1.3; color: var(--ink); }
#photos span { display: block; font-size: 12px; color: var(--soft); overflow-wrap: anywhere; }

.scroll { overflow-x: auto; }
.confusion { border-collapse: separate; border-spacing: 4px; font-size: 15px; }
.confusion, .confusion th, .confusion td { border: 0 !important; background: none; }
.confusion th { font-weight: 600; padding: 4px 8px; color: var(--soft); text-align: left; }
.dark .confusion td { --most: 34%; }
.confusion td { padding: 8px 12px; text-align: center; border-radius: 8px; font-variant-numeric: tabular-nums;
  color: var(--ink); background: color-mix(in srgb, var(--leaf) calc(var(--share) * var(--most, 55%)), var(--ground)); }
#about { gap: 12px; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 16px 12px; }
.own-mistakes { width: 100%; height: auto; border-radius: 10px; }
.mistakes figure { margin: 0; }
.mistakes a { padding: 0; }
.mistakes img { width: 100%; height: auto; aspect-ratio: 1; border-radius: 10px; display: block;
  margin: 0 !important; }
.mistakes figcaption { font-size: 14px; line-height: 1.4; padding-top: 4px; color: var(--soft); }
#about .lead { font-size: 18px; line-height: 1.55; margin: 0; color: var(--ink); background: var(--card);
  padding: 20px 24px; border: 1px solid var(--rule); border-radius: 20px; box-shadow: var(--shade); }
.part { margin: 26px 0 0; }
.part:not(:has(.figures)) { padding: 20px 24px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 20px; }
.part h2 { font-size: 20px; margin: 0 0 10px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 14px 18px; }
.figures figure { margin: 0; padding: 18px 20px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 20px; display: grid; grid-template-columns: 1fr 92px; gap: 10px; align-items: center; }
.figures b { font-size: 44px; line-height: 1; font-variant-numeric: tabular-nums; }
.figures small { font-size: 16px; font-weight: 500; color: var(--soft); }
.figures figcaption { grid-column: 1 / -1; font-size: 15px; line-height: 1.45; color: var(--soft); }
.figures svg { width: 92px; height: 92px; }
.figures path { stroke: color-mix(in srgb, var(--mute) 40%, transparent); stroke-width: 7.4; stroke-linecap: round; }
.figures .good path:first-of-type { stroke: var(--leaf); }
.figures .bad path:first-of-type { stroke: #c2571a; }
.part summary { cursor: pointer; min-height: 44px; padding-top: 10px; font-weight: 600; color: var(--soft); }
.part .scroll { margin-top: 18px; }
.mistakes .name { display: block; }
#about .prose table { display: block; overflow-x: auto; }
#about pre { overflow-x: auto; margin: 0; font-size: 13px; line-height: 1.5; }
#about .prose th, #about .prose td { overflow-wrap: normal; word-break: normal; }
#languages nav { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 14px; }
#languages a { color: var(--soft); text-decoration: none; padding: 4px 0; }
#languages a[aria-current] { color: var(--ink); font-weight: 600; }
#languages a:hover { text-decoration: underline; }
footer .divider:last-child { display: none; }
#footer p { margin: 10px 0 0; padding-left: 2px; font-size: 14px; color: var(--soft); }

@media (min-width: 700px) {
  .columns { display: grid !important; grid-template-columns: minmax(0, 1.08fr) minmax(0, 1fr);
    grid-template-rows: auto 1fr; gap: 18px 22px !important; }
  .columns > .card { grid-area: 1 / 2 / span 2; align-self: start; }
}
@media (min-width: 560px) and (max-height: 520px) {  /* a window at 200 %, a phone on its side */
  .columns { display: grid !important; grid-template-columns: minmax(0, 1fr) minmax(0, 1.2fr); gap: 14px !important; }
  .columns > .card { grid-area: 1 / 2 / span 2; align-self: start; }
  .stage { --most: 46vh; }
}
@media (min-width: 700px) and (max-width: 1060px) {
  .ref { grid-template-columns: 1fr; gap: 6px; }
}
@media (min-width: 900px) and (max-width: 1060px) {
  #header p { display: none; }
}
@media (pointer: coarse) {
  .pill, button.bar, .trust summary, .choice summary { min-height: 44px; }
}
@media (forced-colors: active) {
  .bar i, .bar .t, .chip, .heat { forced-color-adjust: none; }
}
@media print {
  .pills, #strips, .tab-wrapper, #model, #footer, footer, .press, .grip { display: none !important; }
}
@media (min-width: 900px) {
  .tabs { min-height: 690px; }
  .tabs > .tab-wrapper { margin-top: -66px; justify-content: flex-end; }
  #header { margin-right: 480px; }
}
@media (max-width: 899px) {
  .gradio-container > .main { padding: 12px 14px 28px !important; }
  #header p { font-size: 13px; line-height: 1.3; min-height: 1.3em; }
  #header .gradio-style { gap: 10px; }
  .tab-container { width: 100% !important; justify-content: space-between; overflow-x: auto !important; }
  .tab-container button { padding: 0 8px !important; font-size: 14px !important; }
  .tabs { gap: 12px !important; }
  #model input { font-size: 12.5px; }
}
@media (max-width: 480px) {
  #header p { min-height: 2.6em; }
  .tab-container { gap: 0; }
  .tab-container button { padding: 0 6px !important; font-size: 13px !important; }
}
@media (max-width: 350px) {
  .tab-container button { padding: 0 4px !important; font-size: 12px !important; }
}
@media (max-width: 700px) {
  #photo { min-height: 292px; }
  .guide { display: none; }
  .columns:has(.stage.empty) > #strips { order: 1; }
  .columns:has(.stage.empty) > .card { order: 2; }
  #answer { min-height: 0; }
  #answer:not(:has(.panel)) { min-height: 230px; }
  .stage { --most: 40vh; }
  .drop { height: 262px; }
  .card { padding: 16px 14px !important; }
  .panel h2, .panel.unknown h2, .panel.problem h2 { font-size: 30px; }
  .panel h2 .name { font-size: 38px; }
  .panel h2 small { font-size: 26px; }
  #words, #models h2 { min-height: 0; }
  .bars { column-gap: 10px; }
  #model .wrap-inner { padding: 4px 8px; }
  #photos .gradio-style { grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 10px; }
  .confusion { font-size: 13px; border-spacing: 2px; }
  .confusion thead th { writing-mode: vertical-rl; rotate: 180deg; padding: 4px 2px; }
  .confusion thead th:first-child { writing-mode: inherit; rotate: none; max-width: 90px; }
  .confusion td { padding: 8px 4px; }
  .confusion th { padding: 4px 2px; }
  .pill { padding: 0 8px; font-size: 14px; justify-content: center; }
  .pill.take { display: none; }  /* who chooses another photo may take one */
  .pills { padding: 8px; gap: 6px; }
  .pills .pill { flex: 1 1 auto; }
  .ref { grid-template-columns: 1fr; gap: 6px; }
  .columns { flex-direction: column; gap: 12px !important; }
  .columns > * { width: 100%; }
}
"""
)
