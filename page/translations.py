"""Texts of the page and names of the flowers, in each language."""

from __future__ import annotations

from flower_alexnet import words
from flower_alexnet.images import MAX_PIXELS
from page.subject import ABOUT_FLOWERS, CAN_TELL, PAGE_LABELS

LANGUAGES = ("en", "zh-CN", "es", "de", "fr", "ja")

FLOWERS = {
    "daisy": ("daisy", "雏菊", "margarita", "Gänseblümchen", "pâquerette", "デイジー"),
    "dandelion": ("dandelion", "蒲公英", "diente de león", "Löwenzahn", "pissenlit", "タンポポ"),
    "roses": ("rose", "玫瑰", "rosa", "Rose", "rose", "バラ"),
    "sunflowers": ("sunflower", "向日葵", "girasol", "Sonnenblume", "tournesol", "ヒマワリ"),
    "tulips": ("tulip", "郁金香", "tulipán", "Tulpe", "tulipe", "チューリップ"),
}
"""Label -> name of one such flower, in the order of ``LANGUAGES``."""

ARTICLES = {
    "daisy": ("a ", "", "una ", "ein ", "une ", ""),
    "dandelion": ("a ", "", "un ", "ein ", "un ", ""),
    "roses": ("a ", "", "una ", "eine ", "une ", ""),
    "sunflowers": ("a ", "", "un ", "eine ", "un ", ""),
    "tulips": ("a ", "", "un ", "eine ", "une ", ""),
}
"""Label -> what stands before the name of one such flower: the article, where a language has one."""

MARKS = {
    "daisy": (
        "many narrow white petals around a yellow disc",
        "黄色花盘周围有许多细长的白色花瓣",
        "muchos pétalos blancos y estrechos alrededor de un disco amarillo",
        "viele schmale weiße Blütenblätter um eine gelbe Scheibe",
        "de nombreux pétales blancs et étroits autour d’un cœur jaune",
        "黄色い中心を細く白い花びらが囲む",
    ),
    "dandelion": (
        "one dense yellow tuft on a bare stem, later a ball of seeds",
        "光秃的花茎顶着一团密密的黄花，之后变成绒球",
        "un penacho amarillo y denso en un tallo desnudo; después, una bola de semillas",
        "ein dichter gelber Schopf auf kahlem Stiel, später die Pusteblume",
        "une touffe jaune et dense sur une tige nue, puis une boule de graines",
        "葉のない茎に密な黄色い花、やがて綿毛",
    ),
    "roses": (
        "many layered petals in a spiral, toothed leaves, thorns",
        "层层花瓣螺旋排列，叶缘有锯齿，茎上有刺",
        "muchos pétalos en espiral, hojas dentadas, espinas",
        "viele Blütenblätter in einer Spirale, gezähnte Blätter, Stacheln",
        "de nombreux pétales en spirale, feuilles dentées, épines",
        "らせん状に重なる花びら、ぎざぎざの葉、とげ",
    ),
    "sunflowers": (
        "a large dark disc with a ring of yellow petals, coarse leaves",
        "大而深色的花盘，外圈黄色花瓣，叶片粗大",
        "un gran disco oscuro con una corona de pétalos amarillos, hojas ásperas",
        "eine große dunkle Scheibe mit gelbem Kranz, raue Blätter",
        "un grand disque sombre couronné de pétales jaunes, feuilles rugueuses",
        "大きく暗い中心を囲む黄色い花びら、大きな葉",
    ),
    "tulips": (
        "six smooth petals, a cup on a bare stem",
        "六片光滑的花瓣，杯形，花茎光秃",
        "seis pétalos lisos, una copa en un tallo desnudo",
        "sechs glatte Blütenblätter, ein Kelch auf kahlem Stiel",
        "six pétales lisses, une coupe sur une tige nue",
        "なめらかな花びら六枚、茎の先のカップ形",
    ),
}
"""Label -> what tells the flower from the others."""

_TEXTS = {
    "percent": ("{number}%", "{number}%", "{number}\u00a0%", "{number}\u00a0%", "{number}\u00a0%", "{number}%"),
    "tagline": (
        "Names the flower in a photo, and tells you when it does not know it.",
        "认出照片里的花；不认识时也会直说。",
        "Dice qué flor hay en la foto, y avisa cuando no la conoce.",
        "Erkennt die Blume auf einem Foto und sagt, wenn es sie nicht kennt.",
        "Nomme la fleur d’une photo, et vous dit quand il ne la connaît pas.",
        "写真の花の名前を答え、知らない花ならそう言います。",
    ),
    "tab_photo": ("Photo", "照片", "Foto", "Foto", "Photo", "写真"),
    "many_photos": ("Many photos", "多张照片", "Varias", "Viele", "Par lots", "複数の写真"),
    "models": ("Models", "模型", "Modelos", "Modelle", "Modèles", "モデル"),
    "about": ("About", "关于", "Info", "Info", "Infos", "説明"),
    "drop_title": (
        "Drop a photo of a flower",
        "把花的照片拖到这里",
        "Suelta la foto de una flor",
        "Foto einer Blume hierher ziehen",
        "Déposez la photo d’une fleur",
        "花の写真をここにドロップ",
    ),
    "drop_hint": (
        "or paste it anywhere on this page",
        "或在页面任意处粘贴",
        "o pégala en cualquier parte de la página",
        "oder irgendwo auf der Seite einfügen",
        "ou collez-la n’importe où sur la page",
        "ページのどこでも貼り付けできます",
    ),
    "choose": ("Choose a photo", "选择照片", "Elegir una foto", "Foto wählen", "Choisir une photo", "写真を選ぶ"),
    "take": ("Take a photo", "拍照", "Hacer una foto", "Foto aufnehmen", "Prendre une photo", "写真を撮る"),
    "another": ("Another photo", "换一张", "Otra foto", "Anderes Foto", "Autre photo", "別の写真"),
    "where": ("Where it looked", "它看了哪里", "Dónde miró", "Worauf es achtet", "Où il a regardé", "注目した場所"),
    "save": ("Save", "保存", "Guardar", "Speichern", "Enregistrer", "保存"),
    "question": (
        "Daisy, dandelion, rose, sunflower or tulip?",
        "雏菊、蒲公英、玫瑰、向日葵还是郁金香？",
        "¿Margarita, diente de león, rosa, girasol o tulipán?",
        "Gänseblümchen, Löwenzahn, Rose, Sonnenblume oder Tulpe?",
        "Pâquerette, pissenlit, rose, tournesol ou tulipe ?",
        "デイジー、タンポポ、バラ、ヒマワリ、チューリップ？",
    ),
    "intro": (
        "A small neural network looks at your photo and tells you how sure it is. If it is none of the five, it says so.",
        "一个小型神经网络会看你的照片，告诉你它有多确定。如果不是这五种花，它会直说。",
        "Una pequeña red neuronal mira tu foto y dice cuán segura está. Si no es ninguna de las cinco, lo dice.",
        "Ein kleines neuronales Netz sieht sich das Foto an und sagt, wie sicher es ist. Ist es keine der fünf, sagt es "
        "auch das.",
        "Un petit réseau de neurones regarde votre photo et dit à quel point il est sûr. Si ce n’est aucune des cinq, il "
        "le dit.",
        "小さなニューラルネットワークが写真を見て、どれだけ確かかを答えます。五つのどれでもなければそう言います。",
    ),
    "examples": (
        "Or try one of these",
        "或者试试这些",
        "O prueba una de estas",
        "Oder eines von diesen",
        "Ou essayez l’une de celles-ci",
        "または次の写真で",
    ),
    "recent": (
        "Your last photos",
        "最近的照片",
        "Tus últimas fotos",
        "Die letzten Fotos",
        "Vos dernières photos",
        "最近の写真",
    ),
    "recent_photo": (
        "Photo {number}, again",
        "再看照片 {number}",
        "Foto {number}, otra vez",
        "Foto {number} noch einmal",
        "Photo {number}, à nouveau",
        "写真 {number} をもう一度",
    ),
    "looking": (
        "Looking at it …",
        "正在看……",
        "Mirándola …",
        "Es sieht hin …",
        "Il regarde …",
        "見ています…",
    ),
    "photo": ("Photo", "照片", "Foto", "Foto", "Photo", "写真"),
    "model": ("Model", "模型", "Modelo", "Modell", "Modèle", "モデル"),
    "measured": (
        "{model}: {right} of 100 photos right",
        "{model}：100 张照片认对 {right} 张",
        "{model}: acierta {right} de 100 fotos",
        "{model}: {right} von 100 Fotos richtig",
        "{model} : {right} photos sur 100 justes",
        "{model}：写真100枚中{right}枚が正解",
    ),
    "unmeasured": (
        "{model}: not measured",
        "{model}：未测量",
        "{model}: sin medir",
        "{model}: nicht gemessen",
        "{model} : non mesuré",
        "{model}：未測定",
    ),
    "unavailable": (
        "{model}: unavailable",
        "{model}：不可用",
        "{model}: no disponible",
        "{model}: nicht verfügbar",
        "{model} : indisponible",
        "{model}：利用できません",
    ),
    "sure": (
        words.SURE,
        "{flower}，{probability}",
        "{flower}, {probability}",
        "{flower}, {probability}",
        "{flower}, {probability}",
        "{flower}、{probability}",
    ),
    "unsure": (words.UNSURE, "{one}还是{other}？", "¿{one} o {other}?", "{one} oder {other}?")
    + ("{one} ou {other} ?", "{one}か{other}？"),
    "unsure_why": (
        "It is not sure: {one} {one_probability}, {other} {other_probability}.",
        "它不确定：{one} {one_probability}，{other} {other_probability}。",
        "No está segura: {one} {one_probability}, {other} {other_probability}.",
        "Es ist nicht sicher: {one} {one_probability}, {other} {other_probability}.",
        "Il n’est pas sûr : {one} {one_probability}, {other} {other_probability}.",
        "確信がありません：{one} {one_probability}、{other} {other_probability}。",
    ),
    "perhaps": (
        words.PERHAPS,
        "{flower}？{probability}",
        "¿{flower}? {probability}",
        "{flower}? {probability}",
        "{flower} ? {probability}",
        "{flower}？ {probability}",
    ),
    "full_stop": (".", "。", ".", ".", ".", "。"),
    "if_five": (
        "If it is one of the five,",
        "如果是这五种之一：",
        "Si es una de las cinco,",
        "Wenn es eine der fünf ist,",
        "Si c’est l’une des cinq,",
        "五つのどれかなら、",
    ),
    "if_known": (
        "If it is one of those it knows,",
        "如果是它认识的：",
        "Si es algo que conoce,",
        "Wenn es etwas ist, das es kennt,",
        "S’il le connaît,",
        "知っているもののどれかなら、",
    ),
    "one_of_five": (
        "One of the five?",
        "五种之一？",
        "¿De las cinco?",
        "Eine der fünf?",
        "Des cinq ?",
        "五つのどれか？",
    ),
    "one_of_known": (
        "One it knows?",
        "它认识？",
        "¿Conocido?",
        "Bekannt?",
        "Connu ?",
        "知っている？",
    ),
    "as_one_of_five": (
        "As a flower, it would be {flower}.",
        "如果它是花，那就是{flower}。",
        "Como flor, sería {flower}.",
        "Als Blume wäre es {flower}.",
        "En fleur, ce serait {flower}.",
        "花だとしたら、{flower}です。",
    ),
    "as_one_of_known": (
        "As one of those it knows, it would be {flower}.",
        "如果非要算它认识的，那就是{flower}。",
        "De lo que conoce, sería {flower}.",
        "Von dem, was es kennt, wäre es {flower}.",
        "Parmi ce qu’il connaît, ce serait {flower}.",
        "知っているもののどれかだとすれば、{flower}です。",
    ),
    "how_far": (
        "How far to trust it",
        "可信度",
        "Hasta dónde fiarse",
        "Wie verlässlich ist das?",
        "Peut-on s’y fier ?",
        "どこまで信じられるか",
    ),
    "how_often": (
        "If it is one of the five: this sure, it is right about {number} times in 100.",
        "如果是五种之一：这么有把握时，100 次里大约对 {number} 次。",
        "Si es una de las cinco: así de segura, acierta unas {number} veces de cada 100.",
        "Wenn es eine der fünf ist: So sicher hat es in etwa {number} von 100 Fällen recht.",
        "Si c’est l’une des cinq : aussi sûr, il a raison environ {number} fois sur 100.",
        "五つのどれかなら：この確信度で、100回のうち約{number}回が正解です。",
    ),
    "how_often_known": (
        "If it is one of those it knows: this sure, it is right about {number} times in 100.",
        "如果是它认识的：这么有把握时，100 次里大约对 {number} 次。",
        "Si es algo que conoce: así de segura, acierta unas {number} veces de cada 100.",
        "Wenn es etwas ist, das es kennt: So sicher hat es in etwa {number} von 100 Fällen recht.",
        "S’il le connaît : aussi sûr, il a raison environ {number} fois sur 100.",
        "知っているもののどれかなら：この確信度で、100回のうち約{number}回が正解です。",
    ),
    "mistaken_for": (
        "Where “{flower}” was wrong, it was mostly {other}.",
        "“{flower}”答错时，多半其实是{other}。",
        "Cuando «{flower}» era un error, era sobre todo {other}.",
        "Wo „{flower}“ falsch war, war es meist {other}.",
        "Quand « {flower} » était faux, c’était surtout {other}.",
        "「{flower}」が誤りのときは、多くが{other}でした。",
    ),
    "none_of_the_five": (
        words.NONE_OF_THE_FIVE,
        "好像不是这五种花",
        "Parece que ninguna de las cinco",
        "Wohl keine der fünf",
        "Aucune des cinq, semble-t-il",
        "五つのどれでもないようです",
    ),
    "none_of_the_classes": (
        words.NONE_OF_THE_CLASSES,
        "好像不是它认识的任何一种",
        "Parece que ninguna de las que conoce",
        "Wohl nichts, was es kennt",
        "Rien de ce qu’il connaît, semble-t-il",
        "知っているもののどれでもないようです",
    ),
    "none_why": (
        "It looks like none of these: {flowers}.",
        "这看起来不像：{flowers}。",
        "No parece: {flowers}.",
        "Das sieht nicht aus wie: {flowers}.",
        "Cela ne ressemble pas à : {flowers}.",
        "次のどれにも見えません：{flowers}。",
    ),
    "tip": (
        "If it should be one of them: one flower, close up, in daylight works best.",
        "如果本该是其中之一：在日光下近距离拍一朵花，效果最好。",
        "Si debería ser una de ellas: una sola flor, de cerca y con luz de día, funciona mejor.",
        "Falls es doch eine davon ist: eine einzelne Blüte, nah und bei Tageslicht, geht am besten.",
        "Si c’en est bien une : une seule fleur, de près, en plein jour, donne le meilleur résultat.",
        "もし五つのどれかなら：一輪を近くから、日の光で撮るとよくわかります。",
    ),
    "had_to_choose": (
        "If it had to choose",
        "如果非要选一个",
        "Si tuviera que elegir",
        "Wenn es wählen müsste",
        "S’il devait choisir",
        "どうしても選ぶなら",
    ),
    "compare_yourself": (
        "Compare for yourself",
        "自己比一比",
        "Compáralo tú",
        "Selbst vergleichen",
        "Comparez vous-même",
        "自分で比べる",
    ),
    "game_title": (
        "You or the network?",
        "你还是网络？",
        "¿Tú o la red?",
        "Du oder das Netz?",
        "Vous ou le réseau ?",
        "あなたかネットワークか？",
    ),
    "game_count": (
        "Photo {number} of {all} · you {you}, network {it}",
        "第 {number}/{all} 张 · 你 {you}，网络 {it}",
        "Foto {number} de {all} · tú {you}, la red {it}",
        "Foto {number} von {all} · du {you}, Netz {it}",
        "Photo {number} sur {all} · vous {you}, réseau {it}",
        "{all} 枚中 {number} 枚目 · あなた {you}、ネットワーク {it}",
    ),
    "game_none": (
        "None of the five",
        "都不是",
        "Ninguna de las cinco",
        "Keine der fünf",
        "Aucune des cinq",
        "どれでもない",
    ),
    "game_truth": (
        "It shows: {flower}",
        "照片里是：{flower}",
        "Se ve: {flower}",
        "Zu sehen: {flower}",
        "On y voit : {flower}",
        "写っているのは：{flower}",
    ),
    "game_you": (
        "You: {flower}",
        "你：{flower}",
        "Tú: {flower}",
        "Du: {flower}",
        "Vous : {flower}",
        "あなた：{flower}",
    ),
    "game_it": (
        "The network: {flower}",
        "网络：{flower}",
        "La red: {flower}",
        "Das Netz: {flower}",
        "Le réseau : {flower}",
        "ネットワーク：{flower}",
    ),
    "game_next": ("Next", "下一张", "Siguiente", "Weiter", "Suivante", "次へ"),
    "game_end": (
        "You {you} of {all}, the network {it}.",
        "{all} 张里你对 {you} 张，网络对 {it} 张。",
        "Tú {you} de {all}, la red {it}.",
        "Du {you} von {all}, das Netz {it}.",
        "Vous {you} sur {all}, le réseau {it}.",
        "{all} 枚中、あなた {you}、ネットワーク {it}。",
    ),
    "game_again": ("Ten others", "再来十张", "Otras diez", "Zehn andere", "Dix autres", "もう十枚"),
    "close": ("Close", "关闭", "Cerrar", "Schließen", "Fermer", "閉じる"),
    "unsure_first": (
        "Least sure first",
        "最没把握的在前",
        "Primero las dudosas",
        "Unsichere zuerst",
        "Les moins sûres d’abord",
        "不確かな順",
    ),
    "answered_by": (
        "Answered by {model}. Press a photo to look closer.",
        "由 {model} 回答。点击照片可细看。",
        "Respondió {model}. Pulsa una foto para verla de cerca.",
        "Beantwortet von {model}. Ein Druck auf ein Foto zeigt mehr.",
        "Réponses de {model}. Touchez une photo pour la voir de près.",
        "{model}の答えです。写真を押すと詳しく見られます。",
    ),
    "look_closer": (
        "Look closer at {name}",
        "细看 {name}",
        "Ver {name} de cerca",
        "{name} genauer ansehen",
        "Voir {name} de près",
        "{name}を詳しく見る",
    ),
    "vote": (
        "{flower}, say {count} of {all}",
        "{all} 个中有 {count} 个说：{flower}",
        "{flower}, dicen {count} de {all}",
        "{flower}, sagen {count} von {all}",
        "{flower}, disent {count} sur {all}",
        "{all} 個中 {count} 個が「{flower}」",
    ),
    "vote_none": ("None of them", "都不是", "Ninguna", "Keine davon", "Aucune", "どれでもない"),
    "press_bar": (
        "Press a bar to see what speaks for it.",
        "点击一条，看看依据是什么。",
        "Pulsa una barra para ver qué habla a su favor.",
        "Ein Druck auf einen Balken zeigt, was dafür spricht.",
        "Touchez une barre pour voir ce qui plaide pour elle.",
        "棒を押すと、その根拠が見えます。",
    ),
    "title_best": ("Best", "最好的", "El mejor", "Das beste", "Le meilleur", "一番よい"),
    "title_alexnet": (
        "Plain, as in 2012",
        "2012 年的原样",
        "Simple, como en 2012",
        "Schlicht, wie 2012",
        "Simple, comme en 2012",
        "2012年のまま",
    ),
    "title_alexnet-bn": (
        "A little more modern",
        "稍新一点",
        "Algo más moderno",
        "Etwas moderner",
        "Un peu plus moderne",
        "少し新しい",
    ),
    "title_alexnet-baseline": (
        "The blog post's",
        "博客文章里的",
        "El del artículo",
        "Das des Blogs",
        "Celui du blog",
        "ブログ記事のもの",
    ),
    "example_photo": (
        "Example {number}",
        "示例 {number}",
        "Ejemplo {number}",
        "Beispiel {number}",
        "Exemple {number}",
        "例 {number}",
    ),
    "bar": (
        "{flower}, {probability}: show what speaks for it",
        "{flower}，{probability}：显示依据",
        "{flower}, {probability}: mostrar lo que habla a su favor",
        "{flower}, {probability}: zeigen, was dafür spricht",
        "{flower}, {probability} : montrer ce qui plaide pour",
        "{flower}、{probability}：根拠を表示",
    ),
    "where_info": (
        "It looked mostly {place}. Bright spots speak for {flower}.",
        "它主要看的是{place}。明亮处支持{flower}。",
        "Miró sobre todo {place}. Lo claro habla a favor de {flower}.",
        "Es sah vor allem {place}. Helles spricht für {flower}.",
        "Il a surtout regardé {place}. Le clair plaide pour {flower}.",
        "主に{place}を見ました。明るい場所が{flower}の根拠です。",
    ),
    "looked_nowhere": (
        "Hardly anything here speaks for {flower}.",
        "这里几乎没有什么支持{flower}。",
        "Aquí casi nada habla a favor de {flower}.",
        "Hier spricht kaum etwas für {flower}.",
        "Ici, presque rien ne plaide pour {flower}.",
        "ここには{flower}の根拠がほとんどありません。",
    ),
    "places": (
        "at the top left|at the top|at the top right|on the left|in the middle|on the right|at the bottom left"
        "|at the bottom|at the bottom right|all over the square",
        "左上方|上方|右上方|左边|中间|右边|左下方|下方|右下方|整个方框",
        "arriba a la izquierda|arriba|arriba a la derecha|a la izquierda|al centro|a la derecha|abajo a la izquierda"
        "|abajo|abajo a la derecha|a todo el cuadrado",
        "nach oben links|nach oben|nach oben rechts|nach links|in die Mitte|nach rechts|nach unten links|nach unten"
        "|nach unten rechts|überallhin",
        "en haut à gauche|en haut|en haut à droite|à gauche|au milieu|à droite|en bas à gauche|en bas|en bas à droite"
        "|partout",
        "左上|上|右上|左|中央|右|左下|下|右下|四角の全体",
    ),
    "square": (
        "What it sees. Drag it; plus, minus or the wheel change its size.",
        "它看到的部分。可拖动；用加号、减号或滚轮改变大小。",
        "Lo que ve. Arrástralo; más, menos o la rueda cambian su tamaño.",
        "Was es sieht. Lässt sich ziehen; Plus, Minus oder das Mausrad ändern die Größe.",
        "Ce qu’il voit. Faites-le glisser ; plus, moins ou la molette changent sa taille.",
        "見ている範囲。ドラッグで移動、プラス・マイナス・ホイールで大きさを変更。",
    ),
    "middle": ("Middle again", "回到中间", "Al centro", "Wieder Mitte", "Au milieu", "中央に戻す"),
    "film": ("Live camera", "实时相机", "Cámara en vivo", "Live-Kamera", "Caméra en direct", "ライブカメラ"),
    "hold": ("Hold", "定格", "Congelar", "Festhalten", "Figer", "止める"),
    "end": ("Stop camera", "关闭相机", "Parar cámara", "Kamera aus", "Arrêter", "カメラ終了"),
    "film_https": (
        "A browser lets a page use the camera over https alone, and on this computer itself.",
        "浏览器只允许 https 页面或本机页面使用相机。",
        "El navegador solo deja usar la cámara por https, o en este mismo ordenador.",
        "Ein Browser lässt eine Seite nur über https an die Kamera, oder auf diesem Rechner selbst.",
        "Le navigateur ne permet la caméra qu’en https, ou sur cet ordinateur même.",
        "カメラは https のページか、このコンピューター上のページでしか使えません。",
    ),
    "film_refused": (
        "The camera was not allowed. Allow it for this page in the browser, then press again.",
        "相机未获许可。请在浏览器中允许此页面使用，然后再按一次。",
        "No se permitió la cámara. Permítela para esta página en el navegador y pulsa otra vez.",
        "Die Kamera wurde nicht erlaubt. Im Browser für diese Seite erlauben, dann noch einmal drücken.",
        "La caméra n’a pas été autorisée. Autorisez-la pour cette page, puis appuyez à nouveau.",
        "カメラが許可されていません。ブラウザーでこのページに許可してから、もう一度押してください。",
    ),
    "film_none": (
        "There is no camera here.",
        "这里没有相机。",
        "Aquí no hay ninguna cámara.",
        "Hier ist keine Kamera.",
        "Il n’y a pas de caméra ici.",
        "カメラがありません。",
    ),
    "film_failed": (
        "The camera gives no picture. Another program may be using it.",
        "相机没有画面。可能有其他程序正在使用。",
        "La cámara no da imagen. Quizá la use otro programa.",
        "Die Kamera gibt kein Bild. Vielleicht benutzt sie ein anderes Programm.",
        "La caméra ne donne pas d’image. Un autre programme l’utilise peut-être.",
        "カメラの映像がありません。他のプログラムが使っているかもしれません。",
    ),
    "no_photo_yet": (
        "Choose a photo first, and each model says what it sees.",
        "先选一张照片，每个模型都会说出它看到的。",
        "Elige antes una foto, y cada modelo dirá lo que ve.",
        "Erst ein Foto wählen, dann sagt jedes Modell, was es sieht.",
        "Choisissez d’abord une photo, et chaque modèle dira ce qu’il voit.",
        "まず写真を選んでください。各モデルが答えます。",
    ),
    "milliseconds": (
        "in {number} ms",
        "用时 {number} 毫秒",
        "en {number} ms",
        "in {number} ms",
        "en {number} ms",
        "{number} ミリ秒",
    ),
    "files": (
        "Photos, or zips of photos",
        "照片或照片压缩包",
        "Fotos, o archivos zip con fotos",
        "Fotos, oder Zip-Dateien mit Fotos",
        "Photos, ou archives zip de photos",
        "写真、または写真のzip",
    ),
    "common.use_via_api_or_mcp": (
        "Use it from programs (API, MCP)",
        "在程序中使用 (API, MCP)",
        "Usarlo desde programas (API, MCP)",
        "Aus Programmen nutzen (API, MCP)",
        "L’utiliser depuis un programme (API, MCP)",
        "プログラムから使う (API, MCP)",
    ),
    "upload_text.drop_file": (
        "Drop photos or zips here",
        "把照片或照片压缩包拖到这里",
        "Suelta aquí fotos o zips",
        "Fotos oder Zips ablegen",
        "Déposez ici photos ou zips",
        "写真や写真のzipをここにドロップ",
    ),
    "upload_text.click_to_upload": (
        "Choose photos",
        "选择照片",
        "Elegir fotos",
        "Fotos wählen",
        "Choisir des photos",
        "写真を選ぶ",
    ),
    "many_hint": (
        "Each photo gets its answer. Then take away a table, or the photos sorted into folders by flower.",
        "每张照片都会得到答案；之后可以下载表格，或按花分好文件夹的照片。",
        "Cada foto recibe su respuesta. Después puedes llevarte una tabla o las fotos ordenadas en carpetas por flor.",
        "Jedes Foto bekommt seine Antwort. Danach gibt es eine Tabelle oder die Fotos nach Blumen in Ordner sortiert.",
        "Chaque photo reçoit sa réponse. Emportez ensuite un tableau, ou les photos rangées par fleur dans des dossiers.",
        "写真ごとに答えが出ます。そのあと表や、花ごとのフォルダーに分けた写真をダウンロードできます。",
    ),
    "cancel": ("Cancel", "取消", "Cancelar", "Abbrechen", "Annuler", "中止"),
    "cancelled": ("Cancelled.", "已取消。", "Cancelado.", "Abgebrochen.", "Annulé.", "中止しました。"),
    "done": (
        "{done} of {all} photos",
        "{all} 张照片中的 {done} 张",
        "{done} de {all} fotos",
        "{done} von {all} Fotos",
        "{done} photos sur {all}",
        "{all}枚中{done}枚",
    ),
    "summary_flower": ("{count} × {flower}", "{flower} {count} 张", "{count} × {flower}", "{count} × {flower}")
    + ("{count} × {flower}", "{flower} {count}枚"),
    "summary_none": (
        "{count} × none it knows",
        "不认识的 {count} 张",
        "{count} × ninguna conocida",
        "{count} × keine bekannte",
        "{count} × aucune connue",
        "知らないもの {count}枚",
    ),
    "summary_unusable": (
        "{count} unusable",
        "无法使用 {count} 张",
        "{count} inservibles",
        "{count} unbrauchbar",
        "{count} inutilisables",
        "使えないもの {count}枚",
    ),
    "download": (
        "↓ Table (CSV)",
        "↓ 表格 (CSV)",
        "↓ Tabla (CSV)",
        "↓ Tabelle (CSV)",
        "↓ Tableau (CSV)",
        "↓ 表 (CSV)",
    ),
    "download_zip": (
        "↓ Sorted into folders (ZIP)",
        "↓ 按花分文件夹 (ZIP)",
        "↓ Ordenadas en carpetas (ZIP)",
        "↓ In Ordner sortiert (ZIP)",
        "↓ Triées en dossiers (ZIP)",
        "↓ フォルダー分け (ZIP)",
    ),
    "about_what": (
        "{model} is an AlexNet of half width with {parameters} million weights. It looks once at the middle square of a "
        "photo, at {size}×{size} pixels.",
        "{model} 是半宽的 AlexNet，有 {parameters} 百万个权重。它只看一次照片中间的正方形，大小为 {size}×{size} 像素。",
        "{model} es una AlexNet con la mitad de canales y {parameters} millones de pesos. Mira una vez el cuadrado central "
        "de la foto, a {size}×{size} píxeles.",
        "{model} ist ein AlexNet halber Breite mit {parameters} Millionen Gewichten. Es sieht einmal auf das mittlere "
        "Quadrat eines Fotos, mit {size}×{size} Pixeln.",
        "{model} est un AlexNet de demi-largeur avec {parameters} millions de poids. Il regarde une fois le carré central "
        "de la photo, en {size}×{size} pixels.",
        "{model}は幅が半分のAlexNetで、重みは{parameters}百万個。写真中央の正方形を{size}×{size}ピクセルで一度だけ見ます。",
    ),
    "about_accuracy": (
        "Of 100 photos that it never saw in training it names about {right} right: {number} test photos say between {low} "
        "and {high}.",
        "在训练中从未见过的 100 张照片里，它大约认对 {right} 张：{number} 张测试照片表明在 {low} 到 {high} 张之间。",
        "De 100 fotos que no vio al entrenar acierta unas {right}: según {number} fotos de prueba, entre {low} y {high}.",
        "Von 100 Fotos, die es im Training nie sah, benennt es etwa {right} richtig: nach {number} Testfotos zwischen "
        "{low} und {high}.",
        "Sur 100 photos jamais vues à l’entraînement, il en nomme environ {right} juste : d’après {number} photos de test, "
        "entre {low} et {high}.",
        "学習で見ていない写真100枚のうち、約{right}枚を正しく答えます（テスト写真{number}枚から見て{low}〜{high}枚）。",
    ),
    "about_others": (
        "Of 100 photos of other things it takes about {taken} for one of its flowers: measured on {number} photos of kinds that it never saw.",
        "在 100 张其他事物的照片里，它大约把 {taken} 张当成自己认识的花：这是用 {number} 张它从未见过的种类的照片测得的。",
        "De 100 fotos de otras cosas toma unas {taken} por una de sus flores: medido con {number} fotos de clases que nunca vio.",
        "Von 100 Fotos anderer Dinge hält es etwa {taken} für eine seiner Blumen: gemessen an {number} Fotos von Arten, die es nie sah.",
        "Sur 100 photos d’autres choses, il en prend environ {taken} pour une de ses fleurs : mesuré sur {number} photos de sortes qu’il n’a jamais vues.",
        "ほかのものの写真100枚のうち、約{taken}枚を知っている花だと間違えます（見たことのない種類の写真{number}枚で測定）。",
    ),
    "about_elsewhere": (
        "Of 100 photos from elsewhere, of other cameras and websites, about {right}: {number} photos say between {low} and "
        "{high}.",
        "来自别处（其他相机和网站）的 100 张照片里约对 {right} 张：{number} 张照片表明在 {low} 到 {high} 张之间。",
        "De 100 fotos de otros sitios, de otras cámaras y webs, unas {right}: según {number} fotos, entre {low} y {high}.",
        "Von 100 Fotos von anderswo, aus anderen Kameras und Websites, etwa {right}: nach {number} Fotos zwischen {low} und "
        "{high}.",
        "Sur 100 photos d’ailleurs, d’autres appareils et sites, environ {right} : d’après {number} photos, entre {low} et "
        "{high}.",
        "よそから（ほかのカメラやサイト）の写真100枚では約{right}枚（写真{number}枚から見て{low}〜{high}枚）。",
    ),
    "about_last_run": (
        "Its last training run, from the weights of an earlier one, took {minutes} minutes on {machine}.",
        "它的最后一次训练从之前的权重开始，在 {machine} 上用了 {minutes} 分钟。",
        "Su último entrenamiento, a partir de los pesos de uno anterior, duró {minutes} minutos en {machine}.",
        "Sein letztes Training, von den Gewichten eines früheren aus, dauerte {minutes} Minuten auf {machine}.",
        "Son dernier entraînement, à partir des poids d’un précédent, a pris {minutes} minutes sur {machine}.",
        "最後の学習は以前の重みから始め、{machine}で{minutes}分かかりました。",
    ),
    "about_cannot_tell": (
        "It cannot tell what it does not know: it names a flower in every photo.",
        "它分不出自己不认识的东西：每张照片都会说出一种花名。",
        "No distingue lo que no conoce: nombra una flor en cada foto.",
        "Es erkennt nicht, was es nicht kennt: Es nennt in jedem Foto eine Blume.",
        "Il ne reconnaît pas ce qu’il ignore : il nomme une fleur sur chaque photo.",
        "知らないものを見分けられず、どの写真にも花の名前を答えます。",
    ),
    "about_training": (
        "It was trained in {minutes} minutes on {machine}.",
        "它在 {machine} 上训练了 {minutes} 分钟。",
        "Se entrenó en {minutes} minutos en {machine}.",
        "Es wurde in {minutes} Minuten auf {machine} trainiert.",
        "Il a été entraîné en {minutes} minutes sur {machine}.",
        "{machine}で{minutes}分間学習しました。",
    ),
    "cores": (
        "{cores} cores of {processor}",
        "{processor} 的 {cores} 个核心",
        "{cores} núcleos de {processor}",
        "{cores} Kernen eines {processor}",
        "{cores} cœurs d’un {processor}",
        "{processor}の{cores}コア",
    ),
    "not_measured": (
        "Nothing was measured of this model, or its measurements are not here.",
        "这个模型没有测量过，或者测量结果不在这里。",
        "De este modelo no se ha medido nada, o sus medidas no están aquí.",
        "Von diesem Modell wurde nichts gemessen, oder die Messungen sind nicht hier.",
        "Rien n’a été mesuré de ce modèle, ou ses mesures ne sont pas ici.",
        "このモデルの測定値はないか、ここにありません。",
    ),
    "card": ("Its card", "它的说明卡", "Su ficha", "Seine Karte", "Sa fiche", "モデルカード"),
    "card_link": (
        "The card of {model}",
        "{model} 的说明卡",
        "La ficha de {model}",
        "Die Karte von {model}",
        "La fiche de {model}",
        "{model}のカード",
    ),
    "layers": ("Its layers", "它的各层", "Sus capas", "Seine Schichten", "Ses couches", "層の一覧"),
    "recall": (
        "Which flowers it confuses",
        "它会混淆哪些花",
        "Qué flores confunde",
        "Welche Blumen es verwechselt",
        "Quelles fleurs il confond",
        "どの花を間違えるか",
    ),
    "own_mistakes": (
        "Test photos that it gets wrong, with what they show and its answer",
        "它答错的测试照片，以及照片内容和它的答案",
        "Fotos de prueba en las que se equivoca, con lo que muestran y su respuesta",
        "Testfotos, bei denen es sich irrt, mit dem, was sie zeigen, und seiner Antwort",
        "Photos de test où il se trompe, avec ce qu’elles montrent et sa réponse",
        "間違えたテスト写真と、写っているもの、その答え",
    ),
    "mistakes_how": (
        "The {number} of {photos} test photos that it gets wrong, the worst first. Press a photo for its photographer.",
        "在 {photos} 张测试照片中答错的 {number} 张，错得最厉害的在前。点击照片可看到摄影者。",
        "Las {number} de {photos} fotos de prueba en las que se equivoca, la peor primero. Pulsa una para ver de quién es.",
        "Die {number} von {photos} Testfotos, bei denen es sich irrt, das schlimmste zuerst. Ein Druck auf ein Foto führt zu "
        "dem, der es gemacht hat.",
        "Les {number} photos de test sur {photos} où il se trompe, la pire d’abord. Touchez une photo pour voir son auteur.",
        "テスト写真 {photos} 枚のうち間違えた {number} 枚（間違いの大きい順）。写真を押すと撮影者が分かります。",
    ),
    "said": (
        "“{flower}” {probability}",
        "“{flower}” {probability}",
        "«{flower}» {probability}",
        "„{flower}“ {probability}",
        "«\u202f{flower}\u202f» {probability}",
        "「{flower}」 {probability}",
    ),
    "photo_by": (
        "Photo: {name}",
        "摄影：{name}",
        "Foto: {name}",
        "Foto: {name}",
        "Photo : {name}",
        "写真: {name}",
    ),
    "true_flower": ("in the photo", "照片里", "en la foto", "auf dem Foto", "sur la photo", "写真の花"),
    "said_flower": ("its answer", "它的答案", "su respuesta", "seine Antwort", "sa réponse", "答え"),
    "reliability": (
        "How often it is right when it is so sure",
        "这么确定时有多常答对",
        "Cuánto acierta según lo segura que está",
        "Wie oft es recht hat, wenn es so sicher ist",
        "À quelle fréquence il a raison quand il est si sûr",
        "確信の度合いと正解の割合",
    ),
    "reliability_how": (
        "Bar and number: how many of its answers to test photos were right. Mark: how sure it was of them.",
        "条形和数字：测试照片的答案中有多少是对的。竖线：它当时有多确定。",
        "Barra y número: cuántas de sus respuestas a fotos de prueba fueron correctas. Marca: lo segura que estaba.",
        "Balken und Zahl: wie viele seiner Antworten auf Testfotos richtig waren. Strich: wie sicher es sich war.",
        "Barre et nombre : combien de ses réponses aux photos de test étaient justes. Trait : à quel point il était sûr.",
        "棒と数字：テスト写真への答えの正解率。縦線：そのときの確信度。",
    ),
    "sure_of": (
        "{probability} sure",
        "{probability} 确定",
        "{probability} segura",
        "{probability} sicher",
        "sûr à {probability}",
        "確信 {probability}",
    ),
    "right": ("right", "正确", "aciertos", "richtig", "juste", "正解"),
    "training_curves": ("Training", "训练过程", "Entrenamiento", "Training", "Entraînement", "学習の経過"),
    "epoch": ("epoch", "轮次", "época", "Epoche", "époque", "エポック"),
    "training_photos": (
        "training photos",
        "训练照片",
        "fotos de entrenamiento",
        "Trainingsfotos",
        "photos d’entraînement",
        "学習用写真",
    ),
    "other_photos": (
        "other photos",
        "其他照片",
        "otras fotos",
        "andere Fotos",
        "autres photos",
        "ほかの写真",
    ),
    "credits": (
        "Photo credits",
        "照片署名",
        "Créditos de las fotos",
        "Bildnachweise",
        "Crédits photo",
        "写真のクレジット",
    ),
    "language": ("Language", "语言", "Idioma", "Sprache", "Langue", "言語"),
    "unknown_model": (
        "There is no model {model} here. The one in the list answers.",
        "这里没有模型 {model}，由列表中的模型回答。",
        "Aquí no hay ningún modelo {model}. Responde el de la lista.",
        "Ein Modell {model} gibt es hier nicht. Es antwortet das in der Liste.",
        "Il n’y a pas de modèle {model} ici. Celui de la liste répond.",
        "モデル{model}はここにありません。一覧のモデルが答えます。",
    ),
    "cannot_tell": (
        "This model names one of the five in any photo.",
        "这个模型会把任何照片都说成五种花之一。",
        "Este modelo nombra una de las cinco en cualquier foto.",
        "Dieses Modell nennt bei jedem Foto eine der fünf.",
        "Ce modèle nomme une des cinq sur toute photo.",
        "このモデルはどんな写真にも五つのどれかを答えます。",
    ),
    "privacy": (
        "Photos are deleted within the hour; none is kept, logged or sent elsewhere. Your browser alone keeps the last one, "
        "until this tab is closed.",
        "照片在一小时内删除；不保存、不记录、不发往别处。只有你的浏览器会保留最后一张，直到关闭此标签页。",
        "Las fotos se borran en menos de una hora; ninguna se guarda, se registra ni se envía a otro sitio. Solo tu navegador "
        "conserva la última, hasta que cierres esta pestaña.",
        "Fotos werden binnen einer Stunde gelöscht; keines wird aufbewahrt, protokolliert oder weitergegeben. Nur dieser "
        "Browser behält das letzte, bis der Tab geschlossen wird.",
        "Les photos sont effacées dans l’heure ; aucune n’est gardée, journalisée ni envoyée ailleurs. Seul votre navigateur "
        "garde la dernière, jusqu’à la fermeture de cet onglet.",
        "写真は一時間以内に削除され、保存・記録・送信されません。最後の一枚だけが、このタブを閉じるまでブラウザーに残ります。",
    ),
    "no_photo": (
        "Choose a photo first.",
        "请先选择照片。",
        "Elige antes una foto.",
        "Erst ein Foto wählen.",
        "Choisissez d’abord une photo.",
        "まず写真を選んでください。",
    ),
    "no_files": (
        "Choose photos first.",
        "请先选择照片。",
        "Elige antes las fotos.",
        "Erst Fotos wählen.",
        "Choisissez d’abord des photos.",
        "まず写真を選んでください。",
    ),
    "no_such_model": (
        "Choose a model from the list.",
        "请从列表中选择模型。",
        "Elige un modelo de la lista.",
        "Bitte ein Modell aus der Liste wählen.",
        "Choisissez un modèle de la liste.",
        "一覧からモデルを選んでください。",
    ),
    "not_loaded": (
        "{model} was not loaded yet: choose it in the list first.",
        "{model} 尚未加载：请先在列表中选择。",
        "{model} aún no está cargado: elígelo antes en la lista.",
        "{model} ist noch nicht geladen: erst in der Liste wählen.",
        "{model} n’est pas encore chargé : choisissez-le d’abord dans la liste.",
        "{model}はまだ読み込まれていません。先に一覧で選んでください。",
    ),
    "busy": (
        "The page is busy. Try again in a moment.",
        "页面繁忙。请稍后再试。",
        "La página está ocupada. Inténtalo de nuevo en un momento.",
        "Die Seite ist ausgelastet. Bitte gleich noch einmal versuchen.",
        "La page est occupée. Réessayez dans un instant.",
        "ページが混み合っています。少ししてからもう一度お試しください。",
    ),
    "still_loading": (
        "{model} is still being loaded. Try again in a minute.",
        "{model} 仍在加载。请一分钟后再试。",
        "{model} aún se está cargando. Inténtalo de nuevo en un minuto.",
        "{model} wird noch geladen. Bitte in einer Minute noch einmal versuchen.",
        "{model} est encore en cours de chargement. Réessayez dans une minute.",
        "{model}はまだ読み込み中です。1分後にもう一度お試しください。",
    ),
    "loading": (
        "Loading {model}",
        "正在加载 {model}",
        "Cargando {model}",
        "{model} wird geladen",
        "Chargement de {model}",
        "{model}を読み込み中",
    ),
    "model_unavailable": (
        "{model} is unavailable",
        "{model} 不可用",
        "{model} no está disponible",
        "{model} ist nicht verfügbar",
        "{model} est indisponible",
        "{model}は利用できません",
    ),
    "bad_photo": (
        "This photo cannot be used",
        "这张照片无法使用",
        "Esta foto no se puede usar",
        "Dieses Foto lässt sich nicht verwenden",
        "Cette photo est inutilisable",
        "この写真は使えません",
    ),
    "no_script": (
        "Flower AlexNet names the flower in a photo. It needs JavaScript, which is switched off here.",
        "Flower AlexNet 能说出照片里是什么花。它需要 JavaScript，而这里已停用。",
        "Flower AlexNet dice qué flor hay en una foto. Necesita JavaScript, que aquí está desactivado.",
        "Flower AlexNet nennt die Blume auf einem Foto. Es braucht JavaScript, das hier ausgeschaltet ist.",
        "Flower AlexNet nomme la fleur d’une photo. Il a besoin de JavaScript, désactivé ici.",
        "Flower AlexNetは写真の花の名前を答えます。JavaScriptが必要ですが、ここでは無効になっています。",
    ),
    "lost": (
        "No connection to the server.",
        "与服务器的连接已断开。",
        "Sin conexión con el servidor.",
        "Keine Verbindung zum Server.",
        "Pas de connexion au serveur.",
        "サーバーに接続できません。",
    ),
    "again": (
        "Try again",
        "重试",
        "Reintentar",
        "Noch einmal versuchen",
        "Réessayer",
        "もう一度試す",
    ),
    "failed": (
        "That did not work",
        "没有成功",
        "No ha funcionado",
        "Das hat nicht geklappt",
        "Cela n’a pas marché",
        "うまくいきませんでした",
    ),
    "try_again": (
        "The photo did not arrive, or the page is busy. Try it again in a moment.",
        "照片没有传到，或页面正忙。请稍后再试。",
        "La foto no llegó, o la página está ocupada. Inténtalo en un momento.",
        "Das Foto kam nicht an, oder die Seite ist ausgelastet. Bitte gleich noch einmal versuchen.",
        "La photo n’est pas arrivée, ou la page est occupée. Réessayez dans un instant.",
        "写真が届かなかったか、混み合っています。少し待ってもう一度お試しください。",
    ),
    "too_many": (
        "These are more than {limit} photos. Send them in parts.",
        "照片超过 {limit} 张。请分批发送。",
        "Son más de {limit} fotos. Envíalas por partes.",
        "Das sind mehr als {limit} Fotos. Bitte in Teilen senden.",
        "Cela fait plus de {limit} photos. Envoyez-les en plusieurs fois.",
        "写真が{limit}枚を超えています。分けて送ってください。",
    ),
    "EmptyImage": (
        "The file is empty. Try another copy.",
        "文件是空的。请换一份。",
        "El archivo está vacío. Prueba con otra copia.",
        "Die Datei ist leer. Bitte eine andere Kopie versuchen.",
        "Le fichier est vide. Essayez une autre copie.",
        "ファイルが空です。別のコピーをお試しください。",
    ),
    "UnreadableImage": (
        "Whatever its name says, it is no picture that can be read, or it is damaged. Use JPEG, PNG or WebP.",
        "不管文件名是什么，它不是能读取的图片，或已损坏。请使用 JPEG、PNG 或 WebP。",
        "Diga lo que diga su nombre, no es una imagen legible o está dañada. Usa JPEG, PNG o WebP.",
        "Was immer der Name sagt: Es ist kein lesbares Bild, oder es ist beschädigt. Bitte JPEG, PNG oder WebP verwenden.",
        "Quoi que dise son nom, ce n’est pas une image lisible, ou elle est abîmée. Utilisez JPEG, PNG ou WebP.",
        "名前にかかわらず、読み取れる画像ではないか、壊れています。JPEG、PNG、WebPをお使いください。",
    ),
    "TruncatedImage": (
        "The picture is cut short or damaged. Try another copy.",
        "图片不完整或已损坏。请换一份。",
        "La imagen está cortada o dañada. Prueba con otra copia.",
        "Das Bild ist abgeschnitten oder beschädigt. Bitte eine andere Kopie versuchen.",
        "L’image est tronquée ou abîmée. Essayez une autre copie.",
        "画像が途中で切れているか壊れています。別のコピーをお試しください。",
    ),
    "ImageTooLarge": (
        "The picture is too large: at most {millions} million pixels. Make it smaller first.",
        "图片太大：最多 {millions} 百万像素。请先缩小。",
        "La imagen es demasiado grande: como máximo, {millions} millones de píxeles. Redúcela antes.",
        "Das Bild ist zu groß: höchstens {millions} Millionen Pixel. Bitte erst verkleinern.",
        "L’image est trop grande : au plus {millions} millions de pixels. Réduisez-la d’abord.",
        "画像が大きすぎます：最大{millions}百万ピクセル。先に縮小してください。",
    ),
}

_OTHER_CLASSES = {
    "tagline": (
        "Names what is in a photo, and tells you when it does not know it.",
        "认出照片里是什么；不认识时也会直说。",
        "Dice qué hay en la foto, y avisa cuando no lo conoce.",
        "Erkennt, was auf einem Foto ist, und sagt, wenn es das nicht kennt.",
        "Dit ce que montre une photo, et vous prévient quand il ne le connaît pas.",
        "写真に写っているものを答え、知らないものならそう言います。",
    )
    if CAN_TELL
    else (
        "Names what is in a photo.",
        "认出照片里是什么。",
        "Dice qué hay en la foto.",
        "Erkennt, was auf einem Foto ist.",
        "Dit ce que montre une photo.",
        "写真に写っているものを答えます。",
    ),
    "drop_title": (
        "Drop a photo",
        "把照片拖到这里",
        "Suelta una foto",
        "Foto hierher ziehen",
        "Déposez une photo",
        "写真をここにドロップ",
    ),
    "intro": (
        "A small neural network looks at your photo and tells you how sure it is. If it is none of these, it says so.",
        "一个小型神经网络会看你的照片，告诉你它有多确定。如果都不是，它会直说。",
        "Una pequeña red neuronal mira tu foto y dice cuán segura está. Si no es nada de eso, lo dice.",
        "Ein kleines neuronales Netz sieht sich das Foto an und sagt, wie sicher es ist. Ist es nichts davon, sagt es "
        "auch das.",
        "Un petit réseau de neurones regarde votre photo et dit à quel point il est sûr. Si ce n’est rien de tout cela, "
        "il le dit.",
        "小さなニューラルネットワークが写真を見て、どれだけ確かかを答えます。どれでもなければそう言います。",
    )
    if CAN_TELL
    else (
        "A small neural network looks at your photo and tells you how sure it is. It says one of these of any photo.",
        "一个小型神经网络会看你的照片，告诉你它有多确定。任何照片它都会说成其中之一。",
        "Una pequeña red neuronal mira tu foto y dice cuán segura está. De cualquier foto dice una de estas cosas.",
        "Ein kleines neuronales Netz sieht sich das Foto an und sagt, wie sicher es ist. Es nennt bei jedem Foto eines "
        "davon.",
        "Un petit réseau de neurones regarde votre photo et dit à quel point il est sûr. Sur toute photo, il en nomme un.",
        "小さなニューラルネットワークが写真を見て、どれだけ確かかを答えます。どんな写真にもこのどれかを答えます。",
    ),
    "tip": (
        "If it should be one of them: close up, in daylight works best.",
        "如果本该是其中之一：在日光下近距离拍效果最好。",
        "Si debería ser una de ellas: de cerca y con luz de día funciona mejor.",
        "Falls es doch eines davon ist: nah und bei Tageslicht geht am besten.",
        "S’il devait en être un : de près, en plein jour, donne le meilleur résultat.",
        "もしどれかのはずなら：近くから、日の光で撮るとよくわかります。",
    ),
    "many_hint": (
        "Each photo gets its answer. Then take away a table, or the photos sorted into folders.",
        "每张照片都会得到答案；之后可以下载表格，或分好文件夹的照片。",
        "Cada foto recibe su respuesta. Después puedes llevarte una tabla o las fotos ordenadas en carpetas.",
        "Jedes Foto bekommt seine Antwort. Danach gibt es eine Tabelle oder die Fotos in Ordner sortiert.",
        "Chaque photo reçoit sa réponse. Emportez ensuite un tableau, ou les photos rangées dans des dossiers.",
        "写真ごとに答えが出ます。そのあと表や、フォルダーに分けた写真をダウンロードできます。",
    ),
    "download_zip": (
        "↓ Sorted into folders (ZIP)",
        "↓ 分文件夹 (ZIP)",
        "↓ Ordenadas en carpetas (ZIP)",
        "↓ In Ordner sortiert (ZIP)",
        "↓ Triées en dossiers (ZIP)",
        "↓ フォルダー分け (ZIP)",
    ),
    "about_others": (
        "Of 100 photos of other things it takes about {taken} for something that it knows: measured on {number} photos.",
        "在 100 张其他事物的照片里，它大约把 {taken} 张当成自己认识的东西：这是用 {number} 张照片测得的。",
        "De 100 fotos de otras cosas toma unas {taken} por algo que conoce: medido con {number} fotos.",
        "Von 100 Fotos anderer Dinge hält es etwa {taken} für etwas, das es kennt: gemessen an {number} Fotos.",
        "Sur 100 photos d’autres choses, il en prend environ {taken} pour une chose qu’il connaît : mesuré sur {number} photos.",
        "ほかのものの写真100枚のうち、約{taken}枚を知っているものだと間違えます（写真{number}枚で測定）。",
    ),
    "about_cannot_tell": (
        "It cannot tell what it does not know: it says something that it knows of every photo.",
        "它分不出自己不认识的东西：每张照片都会说成自己认识的。",
        "No distingue lo que no conoce: de cada foto dice algo que conoce.",
        "Es erkennt nicht, was es nicht kennt: Es nennt bei jedem Foto etwas, das es kennt.",
        "Il ne reconnaît pas ce qu’il ignore : sur chaque photo, il nomme une chose qu’il connaît.",
        "知らないものを見分けられず、どの写真にも知っているものを答えます。",
    ),
    "recall": (
        "What it confuses",
        "它会混淆什么",
        "Qué confunde",
        "Was es verwechselt",
        "Ce qu’il confond",
        "何を間違えるか",
    ),
    "true_flower": ("in the photo", "照片里", "en la foto", "auf dem Foto", "sur la photo", "写真に写るもの"),
    "no_script": (
        "This page names what is in a photo. It needs JavaScript, which is switched off here.",
        "本页能说出照片里是什么。它需要 JavaScript，而这里已停用。",
        "Esta página dice qué hay en una foto. Necesita JavaScript, que aquí está desactivado.",
        "Diese Seite nennt, was auf einem Foto ist. Sie braucht JavaScript, das hier ausgeschaltet ist.",
        "Cette page dit ce que montre une photo. Elle a besoin de JavaScript, désactivé ici.",
        "このページは写真に写っているものを答えます。JavaScriptが必要ですが、ここでは無効になっています。",
    ),
}
"""What a page that is not about the five flowers says instead."""

SEPARATORS = {"zh-CN": "、", "ja": "、"}
"""What stands between the items of a list, where it is not a comma and a space."""

_MOST_LABELS = 8
"""Most labels that the page's question names."""


def _question(language: str) -> str:
    """Return what the page of other classes asks: which of them it is."""
    labels = PAGE_LABELS if len(PAGE_LABELS) <= _MOST_LABELS else [*PAGE_LABELS[:_MOST_LABELS], "…"]
    mark = {"zh-CN": "？", "ja": "？", "fr": "\u00a0?"}.get(language, "?")
    return ("¿" if language == "es" else "") + words.capitalized(SEPARATORS.get(language, ", ").join(labels)) + mark


TEXTS = {
    language: {key: texts[index] for key, texts in _TEXTS.items()}
    | ({} if ABOUT_FLOWERS else {key: texts[index] for key, texts in _OTHER_CLASSES.items()})
    | ({} if ABOUT_FLOWERS else {"question": _question(language)})
    | {f"flower_{label}": names[index] for label, names in FLOWERS.items()}
    | {f"a_{label}": articles[index] + FLOWERS[label][index] for label, articles in ARTICLES.items()}
    | {f"marks_{label}": marks[index] for label, marks in MARKS.items()}
    for index, language in enumerate(LANGUAGES)
}
"""Language -> text by its key."""


def flower_name(label: str, language: str) -> str:
    """Return the name of a flower of a class; a class other than the five keeps its label."""
    return TEXTS[language].get(f"flower_{label}", label)


def a_flower(label: str, language: str) -> str:
    """Return one flower of a class, with its article; a class other than the five keeps its label."""
    return TEXTS[language].get(f"a_{label}", label)


def translate(key: str, language: str, **values: object) -> str:
    """Return the text of a key with its values filled in."""
    return TEXTS[language][key].format(**values)


def listed(items: list[str], language: str) -> str:
    """Return items as one text."""
    return SEPARATORS.get(language, ", ").join(items)


def percent(probability: float, language: str = "en") -> str:
    """Return a probability, 0-1, as a percentage; none is shown as 0 % or 100 %, since none is certain."""
    number = ">99" if probability >= 0.995 else "<1" if probability < 0.005 else f"{100 * probability:.0f}"
    return translate("percent", language, number=number)


def describe(error: Exception, language: str) -> str:
    """Return an error in words for visitors; one of a kind that has no text keeps its own message."""
    text = TEXTS[language].get(type(error).__name__)
    return str(error) if text is None else text.format(millions=getattr(error, "most", MAX_PIXELS) // 1_000_000)
