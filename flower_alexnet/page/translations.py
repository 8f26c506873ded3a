"""Texts of the page and names of the flowers, in each language."""

from __future__ import annotations

from flower_alexnet.config import LABELS, english_name
from flower_alexnet.images import MAX_PIXELS

DISPLAY_NAMES = {
    "en": {label: english_name(label) for label in LABELS},
    "zh-CN": dict(zip(LABELS, ("雏菊", "蒲公英", "玫瑰", "向日葵", "郁金香"), strict=True)),
    "es": dict(zip(LABELS, ("margarita", "diente de león", "rosa", "girasol", "tulipán"), strict=True)),
    "de": dict(zip(LABELS, ("Gänseblümchen", "Löwenzahn", "Rose", "Sonnenblume", "Tulpe"), strict=True)),
}
"""Language -> label -> name of one such flower."""

ENGLISH = {
    "hint": "Drop a photo into the box, paste one, take one, or click on one of the pictures.",
    "measured": "{model} ({accuracy} on test)",
    "unmeasured": "{model} (accuracy not measured)",
    "unavailable": "{model} (unavailable)",
    "sure": "{flower}, {probability}",
    "not_sure": "Not sure, maybe: {flower} ({probability})",
    "none_of_the_five": "This does not look like one of the five flowers",
    "none_of_the_classes": "This does not look like any of the known classes",
    "heading": "# Flower AlexNet\nNames the flower in a photo: daisy, dandelion, rose, sunflower or tulip.",
    "photo": "Photo",
    "model": "Model",
    "model_info": "Beside each, the share of the test photos that it names right.",
    "classify": "Classify",
    "examples": "Or try one of these",
    "answer": "Answer",
    "flower": "Flower",
    "where": "Where did it look?",
    "where_info": "Drag the line: left the photo, right what speaks for the flower, from dark to yellow (Grad-CAM).",
    "label_to_explain": "What speaks for",
    "its_answer": "Its own answer",
    "all_models": "All models",
    "compare": "Ask all models",
    "percent": "Percent",
    "milliseconds": "Milliseconds",
    "many_photos": "Many photos",
    "files": "Photos, or zips of photos",
    "classify_all": "Classify all",
    "cancel": "Cancel",
    "cancelled": "Cancelled.",
    "done": "{done} of {all} photos",
    "gallery": "Photos with their flowers",
    "name": "Photo",
    "download": "Download as CSV",
    "about": "About the model",
    "about_network": (
        "AlexNet at half width, {normalization}: {parameters} million parameters, a picture of {size}×{size} pixels."
    ),
    "about_accuracy": "**Test accuracy:** {accuracy} of {photos} photos that it never saw in training{seeds}",
    "about_calibration": (
        "**Calibration error:** {calibration}: so far, on average, its probabilities are from the truth; "
        "chance alone makes {chance}"
    ),
    "about_others": "**Photos of other things:** {refused} of {others} are recognised as none of its flowers",
    "about_cannot_tell": "**Photos of other things:** it cannot tell them, and names a flower in every photo",
    "about_training": "**Training:** recipe `{recipe}`, {epochs} epochs in {minutes} minutes on {machine}",
    "about_seeds": "; {mean} ± {deviation} over {count} seeds",
    "with_batch_norm": "with batch normalisation",
    "without_batch_norm": "without batch normalisation",
    "not_measured": "Nothing was measured of this model, or its measurements are not here.",
    "card": "Its card",
    "layers": "Its layers",
    "recall": "Share of each flower that it names right",
    "confusion_matrix": "Confusion matrix",
    "reliability": "How often it is right when it is so sure",
    "training_curves": "Training",
    "privacy": (
        "Photos are deleted within the hour. None is kept, logged or sent elsewhere, and this page loads nothing "
        "from other hosts."
    ),
    "no_photo": "Choose a photo first.",
    "no_files": "Choose photos first.",
    "no_such_model": "Choose a model from the list.",
    "not_loaded": "{model} was not loaded yet: choose it in the list first.",
    "loading": "Loading {model}",
    "model_unavailable": "{model} is unavailable",
    "bad_photo": "This photo cannot be used",
    "too_many": "These are more than {limit} photos. Send them in parts.",
}
"""Text by its key."""

CHINESE = {
    "hint": "把照片拖进框里、粘贴、拍一张，或点击下方的示例图片。",
    "measured": "{model}（测试准确率 {accuracy}）",
    "unmeasured": "{model}（未测量）",
    "unavailable": "{model}（不可用）",
    "sure": "{flower}，{probability}",
    "not_sure": "不确定：可能是{flower}（{probability}）",
    "none_of_the_five": "这看起来不像这五种花中的任何一种",
    "none_of_the_classes": "这看起来不属于任何已知类别",
    "heading": "# Flower AlexNet\n认出照片里的花：雏菊、蒲公英、玫瑰、向日葵或郁金香。",
    "photo": "照片",
    "model": "模型",
    "model_info": "括号内为测试照片的准确率。",
    "classify": "识别",
    "examples": "或者试试这些图片",
    "answer": "结果",
    "flower": "花",
    "where": "它看了哪里？",
    "where_info": "拖动分界线：左边是照片，右边是支持该花的区域，由暗到黄（Grad-CAM）。",
    "label_to_explain": "支持哪种花",
    "its_answer": "它的答案",
    "all_models": "所有模型",
    "compare": "询问所有模型",
    "percent": "百分比",
    "milliseconds": "毫秒",
    "many_photos": "多张照片",
    "files": "照片，或照片的 zip 压缩包",
    "classify_all": "全部识别",
    "cancel": "取消",
    "cancelled": "已取消。",
    "done": "已完成 {done} / {all} 张",
    "gallery": "照片与花名",
    "name": "照片",
    "download": "下载 CSV",
    "about": "关于模型",
    "about_network": ("半宽 AlexNet，{normalization}：{parameters} 百万个参数，输入 {size}×{size} 像素。"),
    "about_accuracy": "**测试准确率：** {accuracy}（{photos} 张训练中从未见过的照片）{seeds}",
    "about_calibration": "**校准误差：** {calibration}，即概率与真实情况的平均偏差；仅由偶然造成的偏差为 {chance}",
    "about_others": "**其他事物的照片：** {others} 张中有 {refused} 张被认出不是它认识的花",
    "about_cannot_tell": "**其他事物的照片：** 它无法识别，会给每张照片一个花名",
    "about_training": "**训练：** 配方 `{recipe}`，{epochs} 轮，{minutes} 分钟，{machine}",
    "about_seeds": "；{count} 个随机种子的平均值为 {mean} ± {deviation}",
    "with_batch_norm": "带批归一化",
    "without_batch_norm": "不带批归一化",
    "not_measured": "这个模型没有测量数据，或者数据不在这里。",
    "card": "模型卡片",
    "layers": "网络结构",
    "recall": "每种花被正确识别的比例",
    "confusion_matrix": "混淆矩阵",
    "reliability": "给出某个概率时的实际正确率",
    "training_curves": "训练过程",
    "privacy": "照片会在一小时内删除，不会被保留、记录或发送到别处；本页面不从其他主机加载任何内容。",
    "no_photo": "请先选择一张照片。",
    "no_files": "请先选择照片。",
    "no_such_model": "请从列表中选择模型。",
    "not_loaded": "{model} 尚未加载：请先在列表中选择它。",
    "loading": "正在加载 {model}",
    "model_unavailable": "{model} 不可用",
    "bad_photo": "无法使用这张照片",
    "EmptyImage": "文件是空的。请换一份。",
    "UnreadableImage": "这不是能识别的图片。请使用 JPEG、PNG 或 WebP。",
    "TruncatedImage": "图片不完整或已损坏。请换一份。",
    "ImageTooLarge": "图片太大，最多 {millions} 百万像素。请先缩小。",
    "too_many": "照片超过 {limit} 张。请分批发送。",
}

SPANISH = {
    "hint": "Arrastra una foto al recuadro, pégala, hazla o pulsa una de las imágenes.",
    "measured": "{model} ({accuracy} en la prueba)",
    "unmeasured": "{model} (sin medir)",
    "unavailable": "{model} (no disponible)",
    "sure": "{flower}, {probability}",
    "not_sure": "No es seguro: quizá {flower} ({probability})",
    "none_of_the_five": "No parece ninguna de las cinco flores",
    "none_of_the_classes": "No parece de ninguna de las clases conocidas",
    "heading": "# Flower AlexNet\nDice qué flor hay en una foto: margarita, diente de león, rosa, girasol o tulipán.",
    "photo": "Foto",
    "model": "Modelo",
    "model_info": "Junto a cada uno, la parte de las fotos de prueba que acierta.",
    "classify": "Clasificar",
    "examples": "O prueba una de estas",
    "answer": "Respuesta",
    "flower": "Flor",
    "where": "¿Dónde ha mirado?",
    "where_info": "Arrastra la línea: a la izquierda, la foto; a la derecha, lo que apoya la flor, de oscuro a "
    "amarillo (Grad-CAM).",
    "label_to_explain": "Lo que apoya",
    "its_answer": "Su propia respuesta",
    "all_models": "Todos los modelos",
    "compare": "Preguntar a todos",
    "percent": "Por ciento",
    "milliseconds": "Milisegundos",
    "many_photos": "Muchas fotos",
    "files": "Fotos, o archivos zip con fotos",
    "classify_all": "Clasificar todas",
    "cancel": "Cancelar",
    "cancelled": "Cancelado.",
    "done": "{done} de {all} fotos",
    "gallery": "Las fotos y sus flores",
    "name": "Foto",
    "download": "Descargar como CSV",
    "about": "Sobre el modelo",
    "about_network": (
        "AlexNet con la mitad de canales, {normalization}: {parameters} millones de parámetros, una imagen de"
        " {size}×{size} píxeles."
    ),
    "about_accuracy": "**Aciertos en la prueba:** {accuracy} de {photos} fotos que no vio al entrenar{seeds}",
    "about_calibration": (
        "**Error de calibración:** {calibration}: lo que sus probabilidades se apartan, de media, de la "
        "verdad; el azar solo ya da {chance}"
    ),
    "about_others": "**Fotos de otras cosas:** reconoce {refused} de {others} como ninguna de sus flores",
    "about_cannot_tell": "**Fotos de otras cosas:** no las distingue; nombra una flor en cada foto",
    "about_training": "**Entrenamiento:** receta `{recipe}`, {epochs} épocas en {minutes} minutos en {machine}",
    "about_seeds": "; {mean} ± {deviation} con {count} semillas",
    "with_batch_norm": "con normalización por lotes",
    "without_batch_norm": "sin normalización por lotes",
    "not_measured": "De este modelo no se ha medido nada, o sus medidas no están aquí.",
    "card": "Su ficha",
    "layers": "Sus capas",
    "recall": "Parte de cada flor que acierta",
    "confusion_matrix": "Matriz de confusión",
    "reliability": "Cuánto acierta según lo segura que es la respuesta",
    "training_curves": "Entrenamiento",
    "privacy": "Las fotos se borran en menos de una hora. Ninguna se guarda, se registra ni se envía a otro sitio, y "
    "esta página no carga nada de otros servidores.",
    "no_photo": "Elige antes una foto.",
    "no_files": "Elige antes las fotos.",
    "no_such_model": "Elige un modelo de la lista.",
    "not_loaded": "{model} aún no está cargado: elígelo antes en la lista.",
    "loading": "Cargando {model}",
    "model_unavailable": "{model} no está disponible",
    "bad_photo": "Esta foto no se puede usar",
    "EmptyImage": "El archivo está vacío. Prueba con otra copia.",
    "UnreadableImage": "No es una imagen de un tipo conocido. Usa JPEG, PNG o WebP.",
    "TruncatedImage": "La imagen está cortada o dañada. Prueba con otra copia.",
    "ImageTooLarge": "La imagen es demasiado grande: como máximo, {millions} millones de píxeles. Redúcela antes.",
    "too_many": "Son más de {limit} fotos. Envíalas por partes.",
}

GERMAN = {
    "hint": "Ein Foto in das Feld ziehen, einfügen, aufnehmen, oder auf eines der Bilder klicken.",
    "measured": "{model} ({accuracy} im Test)",
    "unmeasured": "{model} (nicht gemessen)",
    "unavailable": "{model} (nicht verfügbar)",
    "sure": "{flower}, {probability}",
    "not_sure": "Nicht sicher, vielleicht: {flower} ({probability})",
    "none_of_the_five": "Das sieht nach keiner der fünf Blumen aus",
    "none_of_the_classes": "Das sieht nach keiner der bekannten Klassen aus",
    "heading": "# Flower AlexNet\nNennt die Blume auf einem Foto: Gänseblümchen, Löwenzahn, Rose, Sonnenblume oder "
    "Tulpe.",
    "photo": "Foto",
    "model": "Modell",
    "model_info": "Daneben steht jeweils der Anteil der Testfotos, den es richtig benennt.",
    "classify": "Bestimmen",
    "examples": "Oder eines von diesen",
    "answer": "Antwort",
    "flower": "Blume",
    "where": "Wohin hat es geschaut?",
    "where_info": "Die Linie ziehen: links das Foto, rechts, was für die Blume spricht, von dunkel bis gelb "
    "(Grad-CAM).",
    "label_to_explain": "Was spricht für",
    "its_answer": "Seine eigene Antwort",
    "all_models": "Alle Modelle",
    "compare": "Alle Modelle fragen",
    "percent": "Prozent",
    "milliseconds": "Millisekunden",
    "many_photos": "Viele Fotos",
    "files": "Fotos, oder Zip-Dateien mit Fotos",
    "classify_all": "Alle bestimmen",
    "cancel": "Abbrechen",
    "cancelled": "Abgebrochen.",
    "done": "{done} von {all} Fotos",
    "gallery": "Die Fotos und ihre Blumen",
    "name": "Foto",
    "download": "Als CSV herunterladen",
    "about": "Über das Modell",
    "about_network": (
        "AlexNet in halber Breite, {normalization}: {parameters} Millionen Parameter, ein Bild von "
        "{size}×{size} Pixeln."
    ),
    "about_accuracy": "**Testgenauigkeit:** {accuracy} von {photos} Fotos, die es beim Training nie sah{seeds}",
    "about_calibration": (
        "**Kalibrierungsfehler:** {calibration}: so weit liegen seine Wahrscheinlichkeiten im Mittel neben "
        "der Wahrheit; schon der Zufall macht {chance}"
    ),
    "about_others": "**Fotos von anderem:** {refused} von {others} erkennt es als keine seiner Blumen",
    "about_cannot_tell": "**Fotos von anderem:** erkennt es nicht; es nennt in jedem Foto eine Blume",
    "about_training": "**Training:** Rezept `{recipe}`, {epochs} Epochen in {minutes} Minuten auf {machine}",
    "about_seeds": "; {mean} ± {deviation} über {count} Startwerte",
    "with_batch_norm": "mit Batch-Normalisierung",
    "without_batch_norm": "ohne Batch-Normalisierung",
    "not_measured": "Von diesem Modell wurde nichts gemessen, oder die Messwerte sind nicht hier.",
    "card": "Seine Karte",
    "layers": "Seine Schichten",
    "recall": "Anteil jeder Blume, den es richtig benennt",
    "confusion_matrix": "Verwechslungen",
    "reliability": "Wie oft es recht hat, je nachdem wie sicher es ist",
    "training_curves": "Training",
    "privacy": "Fotos werden innerhalb einer Stunde gelöscht. Keines wird aufbewahrt, protokolliert oder "
    "weitergegeben, und diese Seite lädt nichts von anderen Servern.",
    "no_photo": "Erst ein Foto wählen.",
    "no_files": "Erst Fotos wählen.",
    "no_such_model": "Bitte ein Modell aus der Liste wählen.",
    "not_loaded": "{model} ist noch nicht geladen: erst in der Liste wählen.",
    "loading": "{model} wird geladen",
    "model_unavailable": "{model} ist nicht verfügbar",
    "bad_photo": "Dieses Foto lässt sich nicht verwenden",
    "EmptyImage": "Die Datei ist leer. Bitte eine andere Kopie versuchen.",
    "UnreadableImage": "Das ist kein Bild einer bekannten Art. Bitte JPEG, PNG oder WebP verwenden.",
    "TruncatedImage": "Das Bild ist abgeschnitten oder beschädigt. Bitte eine andere Kopie versuchen.",
    "ImageTooLarge": "Das Bild ist zu groß: höchstens {millions} Millionen Pixel. Bitte erst verkleinern.",
    "too_many": "Das sind mehr als {limit} Fotos. Bitte in Teilen senden.",
}

TEXTS = {"en": ENGLISH, "zh-CN": CHINESE, "es": SPANISH, "de": GERMAN}
LANGUAGES = tuple(TEXTS)


def flower_name(label: str, language: str) -> str:
    """Return the name of a flower of a class; a class other than the five keeps its label."""
    return DISPLAY_NAMES[language].get(label, label)


def translate(key: str, language: str, **values: object) -> str:
    """Return the text of a key with its values filled in."""
    return TEXTS[language][key].format(**values)


def percent(probability: float) -> str:
    """Return a probability, 0-1, as a percentage; one that is not certain is never shown as 100 %."""
    return ">99%" if probability >= 0.995 else f"{probability:.0%}"


def describe(error: Exception, language: str) -> str:
    """Return an error's own message in English, else the text for its kind, if the language has one."""
    text = TEXTS[language].get(type(error).__name__)
    return str(error) if text is None else text.format(millions=MAX_PIXELS // 1_000_000)
