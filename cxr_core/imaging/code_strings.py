"""Body part and view from the code strings of a header, in several languages and spellings.

Code strings (VR CS) should hold the standard's defined terms (PS3.3 C.7.3.1.1.1, PS3.16 Annex L); many archives write
them in their own language. A text is mapped to a term here or it is unknown; the text itself is not kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset

__all__ = [
    "BODY_PARTS",
    "FRONTAL",
    "OTHER_VIEWS",
    "body_part",
    "code_meanings",
    "coded_text",
    "described_as_lateral",
    "view_of_codes",
    "view_position",
]

FRONTAL = {"PA", "AP", "FRONTAL"}
OTHER_VIEWS = {
    **dict.fromkeys(("LL", "RL"), "lateral"),
    **dict.fromkeys(("LLD", "RLD"), "lateral decubitus"),
    **dict.fromkeys(("LLO", "RLO"), "oblique"),
}
"""View Position (PS3.3 C.8.1.2.1.1) of views that are not frontal, with their names."""

_CHEST_STEMS = (
    "CHEST", "THORA", "TORAX", "TORAC", "TORAKS", "POITRINE", "PULM", "POUMON", "POLMON", "BRUSTKORB", "BRUSTBEREICH",
    "PIERSIOW", "HRUDNIK", "BORSTKAS", "MELLKAS", "GOGUS", "AKCIGER", "ГРУД", "ЛЕГК", "ΘΩΡΑ", "胸", "肺", "흉부",
    "가슴", "폐", "ทรวงอก", "صدر", "חזה", "छाती",
)  # fmt: skip
_CHEST_WORDS = frozenset(
    (
        "CHST", "CXR", "LUNG", "LUNGS", "LUNGE", "LUNGEN", "LUNGOR", "LUNGA", "LONGEN", "BRUST", "PECHO", "PEITO",
        "PETTO", "TORSO", "PLUCA", "PLUCO", "PLICE", "BROST", "BRYST", "BORST", "TUDO", "NGUC", "DADA", "PARU", "ОГК",
        "PECTUS", "RIBCAGE",
    )
)  # fmt: skip

# tried before the chest: the thoracic spine is a spine, and a breast is no chest
_BEFORE_CHEST: tuple[tuple[str, str], ...] = (
    ("CSPINE", r"C[- ]?SPINE|HWS|CERVICAL"),
    ("TSPINE", r"[TD][- ]?SPINE|BWS"),
    ("LSPINE", r"L[- ]?SPINE|LWS|LUMBAR"),
    ("SPINE", r"\w*SPINE|COLUMNA|COLUNA|COLONNA|COLONNE|RACHIS|\w*WIRBELS\w*|WERVELKOLOM|KREGOSLUP|VERTEBRA\w*"
              r"|ПОЗВОНО\w*|THORA[CK]O-?LUMB\w*|\S*[椎脊]\S*"),
    ("BREAST", r"BREASTS?|MAMA|MAMMA|SEIN|MAMMOGRA\w*|\S*乳\S*"),
    ("STERNUM", r"STERNUM|ESTERNON|BRUSTBEIN|STERNO|ESTERNO|ГРУДИН[АЫ]|\S*胸骨\S*|흉골"),
)  # fmt: skip
_AFTER_CHEST: tuple[tuple[str, str], ...] = (
    ("SKULL", r"SKULL|CRANE|CRANEO|CRANIO|CRANIUM|SCHADEL|CZASZKA|SCHEDEL|KALLO|ЧЕРЕП\w*|\S*颅\S*|\S*頭蓋\S*|두개\w*"),
    ("HEAD", r"HEAD|CABEZA|CABECA|TETE|TESTA|KOPF|HOOFD|GLOWA|HUVUD|ГОЛОВА|\S*头\S*|\S*頭\S*"),
    ("KNEE", r"KNEES?|RODILLA|JOELHO|GENOU|GINOCCHIO|KNIE|KOLANO|КОЛЕН\w*|\S*膝\S*|무릎"),
    ("HAND", r"HANDS?|MANO|MAIN (GAUCHE|DROITE)|DLON|КИСТЬ|\S*手\S*"),
    ("FOOT", r"FOOT|FEET|PIE|PIED|PIEDE|FUSS|VOET|STOPA|СТОПА|\S*足\S*"),
    ("ABDOMEN", r"ABDOMEN|ABDOME|ABDOMINAL|ADDOME|BAUCH|BUIK|BRZUCH|ЖИВОТ|\S*腹\S*|복부"),
    ("PELVIS", r"PELVIS|BECKEN|BASSIN|BACINO|BACIA|BEKKEN|MIEDNICA|ТАЗ|\S*骨盤\S*|\S*骨盆\S*"),
    ("HIP", r"HIPS?|CADERA|HANCHE|ANCA|QUADRIL|HUFTE|HEUP|BIODRO|\S*髋\S*"),
    ("SHOULDER", r"SHOULDERS?|HOMBRO|OMBRO|EPAULE|SPALLA|SCHULTER|SCHOUDER|ПЛЕЧ\w*|\S*肩\S*"),
    ("ELBOW", r"ELBOW|CODO|COUDE|GOMITO|COTOVELO|ELLBOGEN|ELLENBOGEN|LOKIEC|\S*肘\S*"),
    ("WRIST", r"WRIST|MUNECA|POIGNET|POLSO|PUNHO|HANDGELENK|NADGARSTEK|\S*腕\S*"),
    ("ANKLE", r"ANKLE|TOBILLO|CHEVILLE|CAVIGLIA|TORNOZELO|SPRUNGGELENK|ENKEL|KOSTKA|\S*踝\S*"),
    ("NECK", r"NECK|CUELLO|COLLO|PESCOCO|HALS|SZYJA|ШЕЯ|\S*颈\S*|\S*頸\S*"),
    ("RIBS", r"RIBS?|COSTILLAS?|COTES|COSTE|COSTELAS?|RIPPEN|ZEBRA|РЕБРА"),
    ("JAW", r"JAW|MANDIBLE|MANDIBULA|KIEFER|UNTERKIEFER|MAXILLA|MACHOIRE|TEETH|TOOTH|DENTAL|DIENTES?|ZAHNE"),
    *((part, part) for part in (
        "ARM", "CHESTABDOMEN", "CLAVICLE", "FEMUR", "FINGER", "FOREARM", "HUMERUS", "LEG", "THIGH", "TIBIA", "TOE",
        "WHOLEBODY", "SINUS", "EXTREMITY",
    )),
)  # fmt: skip
_CHESTABDOMEN = "CHESTABDOMEN"
BODY_PARTS = frozenset({"CHEST"} | {part for part, _ in (*_BEFORE_CHEST, *_AFTER_CHEST)})
"""The terms that :func:`body_part` returns."""

_LATERAL = re.compile(
    r"(?<![^\W_])([LR]T?[- ]?)?LAT[LR]?(?![^\W_])|(?<!BI)(?<!BI[- ])(?<!UNI)(?<!COL)LATER(?!O|ALI[TD])"
    r"|(?<![^\W_])(?<!HIGH )(?<!LOW )(PROFIL|PROFILE|PROFILO|PERFIL|SEITLICH|BOCZN\w*|БОК\w*)(?![^\W_])|侧|側|측면"
)
# supine or prone is no lateral decubitus: such an image is frontal unless something else says lateral
_DECUBITUS = re.compile(r"^(?!.*(?<![^\W_])(SUPI|PRON|(?<!VENTRO[- ])DORSAL|(?<!DORSO[- ])VENTRAL)).*DECUB")
_OBLIQUE = re.compile(r"OBLI|SCHRAG|SKOSN|斜")
_PA = re.compile(r"(?<![^\W_])(P[-/. ]?A|DV)(?![^\W_])|POSTERO[- ]?ANTERIOR|DORSO[- ]?VENTRAL|后前|後前")
_AP = re.compile(r"(?<![^\W_])(A[-/. ]?P|VD)(?![^\W_])|ANTERO[- ]?POSTERIOR|VENTRO[- ]?DORSAL|前后|前後")
_FRONT = re.compile(r"(?<![^\W_])(FRONT\w*|FACE|FRENTE|ПРЯМ\w*)(?![^\W_])|正|정면")

_CODED_VIEWS: dict[str, str] = {
    **dict.fromkeys(("399348003", "R-10206"), "AP"),
    **dict.fromkeys(("272479007", "R-10214", "R-40888"), "PA"),
    **dict.fromkeys(("399033003", "R-10202"), "FRONTAL"),
    **dict.fromkeys(
        (
            "399067008", "399173006", "399198007", "399352003", "399260004", "30730003",
            "R-102CD", "R-10236", "R-10232", "R-10228", "R-10224", "G-A145",
        ),
        "LL",
    ),
    **dict.fromkeys(
        (
            "399312000", "399059000", "399160007", "260427002", "399135007", "399184004", "399006002", "260426006",
            "399182000", "399356000", "399236003", "399038007",
            "R-10208", "R-10216", "R-10204", "R-40783", "R-10220", "R-10238", "R-10212", "R-40782",
            "R-102C1", "R-40985", "R-10234", "R-10210",
        ),
        "LLO",
    ),
}  # fmt: skip
"""Views for projection radiography (PS3.16 CID 4010), by SNOMED CT and SRT codes."""

_FALLBACK_CHARSETS = ("utf_8", "gb18030", "shift_jis", "euc_kr", "iso8859_5", "iso8859_2", "iso8859_7", "cp1251")


def coded_text(ds: Dataset, keyword: str) -> Iterator[str]:
    """Yield the readings of a code string, in capitals: as decoded, then, beyond ASCII, in other character sets.

    A code string has no character set of its own (PS3.5 6.1.2.2), so pydicom decodes it as Latin 1; devices write
    it in the character set of their texts.
    """
    value = ds.get(keyword)
    if value is None:
        return
    text = value if isinstance(value, str) else _joined(value)
    yield _capitals(text)
    if text.isascii():
        return
    try:
        raw = text.encode("latin_1")
    except UnicodeEncodeError:
        return
    declared = ds.get("SpecificCharacterSet") or ()
    declared = [declared] if isinstance(declared, str) else [str(name) for name in declared]
    for charset in (*(python_encoding.get(name, "utf_8") for name in declared), *_FALLBACK_CHARSETS):
        try:
            yield _capitals(raw.decode(charset))
        except (UnicodeDecodeError, LookupError):
            continue


def _joined(value: object) -> str:
    return "\\".join(str(item) for item in value) if isinstance(value, Iterable) else str(value)


def _capitals(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).upper().split())


def _without_accents(text: str) -> str:
    """Return capitals without diacritics: TÓRAX is TORAX, SCHÄDEL SCHADEL, PŁUCA PLUCA."""
    decomposed = unicodedata.normalize("NFD", text.replace("Ł", "L").replace("Ø", "O").replace("ß", "SS"))
    return unicodedata.normalize("NFC", "".join(letter for letter in decomposed if not unicodedata.combining(letter)))


def body_part(texts: Iterable[str]) -> str | None:
    """Return a term of :data:`BODY_PARTS`, ``""`` where nothing is stated, or None for an unknown text."""
    stated = False
    for text in texts:
        plain = _without_accents(text)
        stated = stated or bool(plain)
        words = re.split(r"[\s_/\\,.;:()+&-]+", plain)
        if any(stem in plain for stem in ("CHESTABD", "ABDOMENCHEST")):
            return _CHESTABDOMEN
        for part, pattern in _BEFORE_CHEST:
            if _matches(pattern, plain, words):
                return part
        if any(stem in text or stem in plain for stem in _CHEST_STEMS) or not _CHEST_WORDS.isdisjoint(words):
            return "CHEST"
        for part, pattern in _AFTER_CHEST:
            if _matches(pattern, plain, words):
                return part
    return None if stated else ""


def _matches(pattern: str, plain: str, words: list[str]) -> bool:
    return bool(re.fullmatch(pattern, plain)) or any(re.fullmatch(pattern, word) for word in words)


def view_position(texts: Iterable[str]) -> str | None:
    """Return PA, AP, FRONTAL or a key of :data:`OTHER_VIEWS`, ``""`` where nothing is stated, None for unknown text."""
    stated = False
    for text in texts:
        plain = _without_accents(text)
        stated = stated or bool(plain)
        if plain in OTHER_VIEWS or plain in FRONTAL:
            return plain
        for view, pattern in (
            ("LLD", _DECUBITUS), ("LLO", _OBLIQUE), ("LL", _LATERAL), ("PA", _PA), ("AP", _AP), ("FRONTAL", _FRONT),
        ):  # fmt: skip
            if pattern.search(plain):
                return view
    return None if stated else ""


def view_of_codes(ds: Dataset) -> str:
    """Return the view of View Code Sequence, as :func:`view_position`; ``""`` where there is no known code."""
    sequence = ds.get("ViewCodeSequence")
    if not sequence or isinstance(sequence, str | bytes):
        return ""
    for item in sequence:
        view = _CODED_VIEWS.get(str(item.get("CodeValue") or "").strip())
        if view:
            return view
    return ""


def code_meanings(ds: Dataset) -> list[str]:
    """Return the code meanings of View Code Sequence, which are free text."""
    sequence = ds.get("ViewCodeSequence")
    if not sequence or isinstance(sequence, str | bytes):
        return []
    return [str(item.get("CodeMeaning") or "") for item in sequence]


def described_as_lateral(texts: Iterable[str]) -> bool:
    """Return whether one of these descriptions names a lateral view, and none of them a frontal one."""
    views = {view_position([text.upper()]) for text in texts if text}
    return "LL" in views and not any(
        pattern.search(_without_accents(text.upper())) for text in texts for pattern in (_PA, _AP, _FRONT)
    )
