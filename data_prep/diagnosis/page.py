"""A diagnosis as one HTML file that needs nothing beside it."""

import html
from collections.abc import Iterator
from collections.abc import Sequence

from data_prep.diagnosis import charts
from data_prep.diagnosis import pictures
from data_prep.diagnosis.diagnose import Diagnosis
from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import percent
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import MeasuredPlace
from data_prep.diagnosis.report import format_time
from data_prep.diagnosis.sampling import spread
from data_prep.diagnosis.table import facts_of
from data_prep.diagnosis.table import verdict

_MOST_PLACES = 12
_MOST_FRAMES = 64  # pictures on the page, over all places
_STYLE = """
:root {
  color-scheme: light dark;
  --ground: #faf9f6; --card: #ffffff; --ink: #222222; --faint: #6b6b6b;
  --line: #e2dfd8; --error: #b5382a; --warning: #9a6700; --note: #2f6690;
  --good: #2e7d32;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181b; --card: #1f2226; --ink: #e8e8e8; --faint: #a0a0a0;
    --line: #34383e; --error: #ff8a75; --warning: #f0b849; --note: #7fb8e0;
    --good: #7fc98a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem;
  background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.35rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: .9rem; margin: 1.25rem 0 .5rem; font-weight: 600; }
p { margin: .25rem 0; }
.faint { color: var(--faint); }
.verdict { font-size: 1.1rem; margin: .75rem 0; font-weight: 600; }
.verdict.error { color: var(--error); }
.verdict.warning { color: var(--warning); }
.verdict.good { color: var(--good); }
.finding {
  background: var(--card); border: 1px solid var(--line);
  border-left: 5px solid var(--tone); border-radius: 6px;
  padding: .6rem .9rem; margin: .5rem 0; overflow-wrap: anywhere;
}
.finding.error { --tone: var(--error); }
.finding.warning { --tone: var(--warning); }
.finding.note { --tone: var(--note); }
.finding b { color: var(--tone); text-transform: uppercase;
  font-size: .78rem; letter-spacing: .04em; margin-right: .5rem; }
.finding code { color: var(--faint); font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem;
  margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.frames { display: flex; flex-wrap: wrap; gap: .9rem; }
figure { margin: 0; width: 12.5rem; }
figure.flagged .shot { outline: 3px solid var(--tone); outline-offset: 2px; }
figure.error { --tone: var(--error); }
figure.warning { --tone: var(--warning); }
figure.note { --tone: var(--note); }
.shot { display: grid; grid-template-columns: minmax(0, 1fr) 22%; gap: 3px;
  align-items: end; }
.shot img { image-rendering: pixelated; width: 100%; height: auto;
  display: block; border-radius: 2px; }
figcaption { font-size: .8rem; line-height: 1.35; margin-top: .3rem;
  overflow-wrap: anywhere; }
.chart img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
"""


def make_page(diagnosis: Diagnosis) -> str:
    """The HTML of a diagnosis: findings, facts, pictures, charts."""
    subject = diagnosis.measured.subject
    body = "\n".join(
        part
        for part in (
            _head(diagnosis),
            _findings(diagnosis.findings),
            _facts(diagnosis),
            *_frames(diagnosis),
            _charts(diagnosis),
            _columns(diagnosis),
        )
        if part
    )
    title = html.escape(f"Doctor: {subject.source}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _head(diagnosis: Diagnosis) -> str:
    subject = diagnosis.measured.subject
    worst = {finding.severity for finding in diagnosis.findings}
    tone = next((s for s in ("error", "warning") if s in worst), "good")
    lines = [
        f"<h1>{html.escape(subject.source)}</h1>",
        f'<p class="faint">{html.escape(subject.kind)}, looked at: '
        f"{html.escape(subject.looked_at)}</p>",
        f'<p class="verdict {tone}">{html.escape(verdict(diagnosis))}</p>',
    ]
    if diagnosis.fit is not None:
        tone = "good" if diagnosis.fit.fits else "error"
        lines.append(
            f'<p class="verdict {tone}">'
            f"{html.escape(diagnosis.fit.sentence)}</p>"
        )
    return "\n".join(lines)


def _findings(findings: Sequence[Finding]) -> str:
    return "\n".join(
        f'<div class="finding {f.severity}"><b>{f.severity}</b>'
        f"{html.escape(f.message)} <code>{html.escape(f.code)}</code></div>"
        for f in findings
    )


def _facts(diagnosis: Diagnosis) -> str:
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>"
        for name, text in facts_of(diagnosis)
    )
    return f"<h2>What it is</h2>\n<dl>{rows}</dl>"


def _frames(diagnosis: Diagnosis) -> Iterator[str]:
    """Pictures of places evenly spread; those with a finding come first."""
    measured = diagnosis.measured
    if not measured.places:
        return
    flags = {
        name: finding.severity
        for finding in reversed(diagnosis.findings)
        for name in finding.where
    }
    chosen = _choose(measured.places, flags)
    looks = [look for place in chosen for look in place.looks]
    stretch = pictures.find_stretch(looks)
    yield (
        f"<h2>What it shows</h2>\n<p class='faint'>"
        f"{html.escape(pictures.shown_bands(measured))}, one stretch for all "
        f"({stretch[0]:.4g} to {stretch[1]:.4g}); grey-blue is not seen; "
        "beside each picture its mask, white where the ground is seen. "
        f"{len(chosen)} of {len(measured.places)} places.</p>"
    )
    for place in chosen:
        name = ", ".join(filter(None, (place.place.name, place.place.split)))
        if name:
            yield f"<h3>{html.escape(name)}</h3>"
        shots = [
            _shot(look, stretch, flags, f" of {place.place.name}")
            for look in place.looks
        ]
        if place.place.picture is not None:
            uri = pictures.to_data_uri(place.place.picture)
            shots.insert(
                0,
                f'<figure><div class="shot"><img src="{uri}" alt="50 cm '
                'image"></div><figcaption>50 cm image, thinned</figcaption>'
                "</figure>",
            )
        yield f'<div class="frames">{"".join(shots)}</div>'


def _choose(
    places: Sequence[MeasuredPlace], flags: dict[str, str]
) -> list[MeasuredPlace]:
    """At most a dozen places: those with faults, then others evenly spread."""
    faults = [
        place
        for place in places
        if any(flags.get(k.name, "note") != "note" for k in place.looks)
    ]
    rest = [place for place in places if place not in faults]
    faulty = [faults[i] for i in spread(len(faults), _MOST_PLACES // 2)]
    most = _MOST_PLACES - len(faulty)
    chosen = faulty + [rest[i] for i in spread(len(rest), most)]
    kept, shown = [], 0
    for place in chosen:
        if kept and shown + len(place.looks) > _MOST_FRAMES:
            break
        kept.append(place)
        shown += len(place.looks)
    return kept


def _shot(
    look: Look,
    stretch: tuple[float, float],
    flags: dict[str, str],
    of_place: str,
) -> str:
    severity = flags.get(look.name, "")
    picture = pictures.to_data_uri(pictures.true_colour(look, stretch))
    mask = pictures.to_data_uri(pictures.mask_picture(look))
    told = [
        look.name.removesuffix(of_place),
        format_time(look.frame.time_utc_s)[:10],
    ]
    if look.clear_share is not None:
        told.append(f"{percent(look.clear_share)} clear")
    if look.facts.nan_share:
        told.append(f"{percent(look.facts.nan_share)} NaN")
    caption = "<br>".join(html.escape(text) for text in told if text)
    return (
        f'<figure class="{severity}{" flagged" if severity else ""}">'
        f'<div class="shot"><img src="{picture}" alt="{html.escape(look.name)}"'
        f'><img class="mask" src="{mask}" alt="mask"></div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _charts(diagnosis: Diagnosis) -> str:
    measured = diagnosis.measured
    parts = []
    if measured.subject.kind != "image" and charts.has_values(measured):
        chart = charts.draw_values(diagnosis)
        against = (
            f" Yellow: {diagnosis.statistics_of}, centre and scale."
            if diagnosis.statistics is not None
            else ""
        )
        if chart is not None:
            parts.append(
                "<h2>Values</h2>\n<p class='faint'>Reflectance of all seen "
                f"pixels, how often each occurs.{html.escape(against)}</p>"
                + _picture(chart)
            )
    facts = measured.subject.record_facts
    if facts is not None:
        chart = charts.draw_splits(facts.footprints)
        if chart is not None:
            parts.append(f"<h2>Where the splits lie</h2>\n{_picture(chart)}")
    return "\n".join(parts)


def _picture(chart: charts.Chart) -> str:
    return (
        '<picture class="chart"><source media="(prefers-color-scheme: dark)" '
        f'srcset="{chart.dark}"><img src="{chart.light}" '
        f'alt="{html.escape(chart.alt)}"></picture>'
    )


def _columns(diagnosis: Diagnosis) -> str:
    columns = diagnosis.measured.subject.columns
    if not columns:
        return ""
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{html.escape(text)}</td>"
            for text in (
                column.name,
                column.kind,
                str(column.count),
                str(column.missing),
                *(f"{p:.4g}" for p in column.percentiles),
            )
        )
        + "</tr>"
        for column in columns
    )
    heads = "".join(
        f"<th>{name}</th>"
        for name in (
            "column",
            "type",
            "values",
            "missing",
            "lowest",
            "16 %",
            "median",
            "84 %",
            "highest",
        )
    )
    return (
        '<h2>Columns</h2>\n<div class="wide"><table><tr>'
        f"{heads}</tr>{rows}</table></div>"
    )
