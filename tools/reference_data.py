"""Writes `schemas/data/countries.json` from well-kept packages: run after upgrading them.

Codes come from `pycountry` (ISO 3166-1), French names from Unicode CLDR through `babel`. Kosovo
(XK) is not in ISO 3166-1; CLDR names it and the contract asks for it.
"""

import json
from importlib.metadata import version
from pathlib import Path

import pycountry
from babel import Locale

TARGET = Path(__file__).resolve().parent.parent / "schemas" / "data" / "countries.json"


def main() -> None:
    """Write the file; raises KeyError should CLDR lack a name for an ISO code."""
    names = Locale("fr").territories
    codes = sorted({country.alpha_2 for country in pycountry.countries} | {"XK"})
    data = {
        "provenance": (
            f"Codes : ISO 3166-1, paquet pycountry {version('pycountry')} (LGPL-2.1). "
            f"Noms français : Unicode CLDR, paquet babel {version('babel')} (Unicode-3.0). "
            "Fichier produit par tools/reference_data.py."
        ),
        "countries": {code: names[code].replace("\u2019", "'") for code in codes},
    }
    TARGET.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
