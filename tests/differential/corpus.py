"""Texts to compare implementations on: prose in many languages and scripts, program text, and odd characters.

`draw(rng, count)` gives texts that differ with every seed: sentences in a drawn order, cut at drawn places, and pieces of
the Python standard library's own sources.
"""

import ast
import inspect
import json
import random
import textwrap

SENTENCES = [
    "The ferry leaves at seven, and whoever is late has to wait until the next morning.",
    "She counted the coins twice, because the first time she had been thinking of something else.",
    "A theorem is not a truth about the world; it is a truth about the axioms that were chosen.",
    "In 1869 a clerk in Lyon measured the rainfall of 214 days and never told anyone why.",
    "Der Zug nach Würzburg fährt heute von Gleis 9, nicht wie angekündigt von Gleis 4.",
    "Wer zu spät kommt, muss draußen warten, bis die nächste Vorstellung beginnt.",
    "Le boulanger ouvre à six heures, mais le pain n'est prêt qu'à sept heures moins le quart.",
    "Qu'est-ce que tu ferais si la rivière débordait encore une fois cet hiver ?",
    "El barco llegó al puerto antes del amanecer, cargado de naranjas y de noticias.",
    "¿Cuántas veces tengo que repetirte que la llave está debajo de la maceta?",
    "Il vento ha portato via le sedie del caffè, e nessuno è andato a riprenderle.",
    "A minha avó guardava as cartas numa caixa azul que cheirava a lavanda.",
    "De brug is gesloten omdat er een schip met hout vastligt in de sluis.",
    "Snön föll hela natten, och på morgonen hittade ingen vägen till stationen.",
    "Talvella järvi jäätyy, ja lapset luistelevat saareen asti.",
    "Pociąg spóźnił się o czterdzieści minut, więc wypiliśmy jeszcze jedną herbatę.",
    "Kdyby pršelo, zůstali bychom doma a četli bychom si u kamen.",
    "A hegyek között már leesett az első hó, de a völgyben még virágzik a kert.",
    "Yarın sabah erkenden yola çıkacağız, çünkü öğleden sonra yağmur yağacak.",
    "Завтра утром поезд отправится без нас, если мы не найдём билеты.",
    "Учёные измерили температуру воды в озере и удивились: она выросла на два градуса.",
    "Навесні сад зацвітає так рясно, що бджоли гудуть аж до вечора.",
    "Το πλοίο έφυγε από το λιμάνι πριν από την αυγή, χωρίς να περιμένει κανέναν.",
    "הספר הישן נמצא על המדף העליון, ליד החלון שפונה אל הים.",
    "وصل القطار متأخرا ساعة كاملة، ولم يجد المسافرون من ينتظرهم.",
    "کتاب‌های قدیمی را در صندوقی چوبی نگه می‌داشت.",
    "नदी के किनारे एक पुराना पेड़ है, जिसके नीचे गाँव के लोग शाम को बैठते हैं।",
    "মেয়েটি জানালার পাশে বসে বৃষ্টির শব্দ শুনছিল।",
    "மழை பெய்தால் ஆற்றைக் கடக்க முடியாது.",
    "รถไฟขบวนสุดท้ายออกจากสถานีตอนเที่ยงคืน",
    "Chuyến tàu cuối cùng rời ga lúc nửa đêm, khi thành phố đã ngủ yên.",
    "Kereta terakhir berangkat tengah malam, ketika kota sudah tertidur.",
    "明日の朝、電車が止まったら、自転車で川沿いの道を行くつもりです。",
    "図書館は九時に開きますが、地下の資料室は予約が必要です。",
    "老桥在去年的洪水中被冲垮，新桥要到春天才能通车。",
    "他把信折好放进口袋，却始终没有勇气寄出去。",
    "기차가 늦게 도착해서 우리는 역 앞에서 한 시간을 기다렸다.",
    "მდინარის პირას ძველი წისქვილი დგას.",
    "Հին կամուրջը փլուզվեց գարնանային վարարումից հետո։",
    "ትናንት ማታ ዝናብ ስለዘነበ መንገዱ ተዘግቷል።",
    "Treni i fundit niset në mesnatë, kur qyteti fle.",
    "Treno ya ho qetela e tloha khitla, ha motse o robetse.",
    "🚲 + 🌧️ = 😬, but 🚲 + ☀️ = 🎉 (and 👩🏽‍🔬 agrees)",
    "∀ε > 0 ∃δ > 0: |x − a| < δ ⇒ |f(x) − f(a)| < ε; hence ∫₀¹ x² dx = ⅓.",
    "SELECT name, COUNT(*) FROM trips WHERE late > 10 GROUP BY name HAVING COUNT(*) >= 3;",
    "for (size_t i = 0; i < n; ++i) { sum += a[i] * b[i]; }  // dot product",
    "fn longest<'a>(x: &'a str, y: &'a str) -> &'a str { if x.len() > y.len() { x } else { y } }",
    "<li class=\"late\"><a href=\"/trains/9?day=mon\">Gleis&nbsp;9</a></li>",
    "{\"id\": 17, \"tags\": [\"a\", \"b\"], \"ratio\": -1.25e-3, \"next\": null}",
    "grep -rn 'TODO' src | awk -F: '{print $1}' | sort | uniq -c | sort -rn | head",
]


def draw_prose(rng: random.Random) -> str:
    text = " ".join(rng.sample(SENTENCES, rng.randint(2, 9)))
    return text[rng.randrange(0, 20) : len(text) - rng.randrange(0, 20)]


def draw_code(rng: random.Random) -> str:
    source = inspect.getsource(rng.choice([ast, inspect, json.decoder, json.encoder, random, textwrap]))
    start = rng.randrange(0, max(1, len(source) - 900))
    return source[start : start + rng.randint(200, 900)]


def draw(rng: random.Random, count: int) -> list[str]:
    """Three texts of prose for one of code."""
    return [draw_code(rng) if i % 4 == 3 else draw_prose(rng) for i in range(count)]
