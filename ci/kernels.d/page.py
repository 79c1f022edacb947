# SPDX-License-Identifier: Apache-2.0
"""page.py: the results as one HTML page, which needs no other file, no network and no script: which
rule and which finding is how on which kernel. Each cell leads to its scenario, with what each
kernel answers and a drawing of the end that the model predicts. On a narrow screen the tables
scroll, the page does not."""
import base64
from html import escape

import compare
import matrix

SHOWN = ("corpus/findings/", "corpus/rules/")
# (class, sign, meaning)
KINDS = {"kept": ("kept", "·", "as the contract says"),
         "other": ("other", "≠", "otherwise, as its own model says: an older rule, or a quirk"),
         "new": ("new", "✗", "otherwise than its own model says"),
         "down": ("new", "!", "the scenario took the kernel down, or it warned"),
         "none": ("none", "?", "not answered, or its state was not seen whole")}

STYLE = """
:root { color-scheme: light dark; --line: #8886; --other: #f5c54255; --new: #e5484d; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 0 .75rem 3rem;
       max-width: 80rem; background: Canvas; color: CanvasText; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { border: 1px solid var(--line); padding: 0; text-align: center; min-width: 1.9rem; }
thead th { writing-mode: vertical-rl; padding: .4rem .2rem; font-weight: normal; }
tbody th { position: sticky; left: 0; background: Canvas; text-align: left; font-weight: normal;
           padding: .2rem .5rem .2rem 0; min-width: 9rem; max-width: 60vw; }
td a { display: block; padding: .2rem; color: inherit; text-decoration: none; }
td.other { background: var(--other); } td.new { background: var(--new); color: #fff; }
pre, .drawing { overflow-x: auto; font-size: 13px; } pre { border-left: 3px solid var(--line);
       padding-left: .6rem; }
section { border-top: 1px solid var(--line); } h3 { margin-bottom: .3rem; }
"""


def kind_of(result, contract):
    if result is None or result["result"] in ("failed", "skipped", "invalid"):
        return "none"
    if result.get("warnings") or result["result"] in compare.INCIDENTS:
        return "down"
    if result["result"] not in compare.ANSWERED:
        return "new"
    if compare.differ(compare.outcome_of(result), compare.outcome_of(contract)):
        return "other"
    return "none" if result.get("state_unseen") else "kept"


def anchor(name):
    return name.replace("/", "-").removesuffix(".scn")


def title_of(name):
    return name.rsplit("/", 1)[-1].removesuffix(".scn").replace("-", " ")


def cell(name, kernel, kind):
    css, sign, meaning = KINDS[kind]
    return f'<td class="{css}"><a href="#{anchor(name)}" title="{escape(kernel)}: {meaning}">' \
           f"{sign}</a></td>"


def table(caption, names, kernels, kinds):
    head = "".join(f'<th scope="col">{escape(kernel.name)}</th>' for kernel in kernels)
    rows = [f'<tr><th scope="row"><a href="#{anchor(name)}">{escape(title_of(name))}</a></th>'
            + "".join(cell(name, kernel.name, kinds[name, kernel.name]) for kernel in kernels)
            + "</tr>" for name in names]
    return f'<h2>{caption}</h2>\n<div class="wide"><table>' \
           f"<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + \
           "\n</tbody></table></div>"


def drawing(name, scenario):
    made = matrix.pivotcheck("draw", "--svg", "-", input=scenario)
    data = base64.b64encode(made.stdout.encode()).decode()
    return f'<div class="drawing"><img alt="the end of {escape(title_of(name))}" loading="lazy" ' \
           f'src="data:image/svg+xml;base64,{data}"></div>'


def answers(name, kernels):
    """A line for each answer, with the kernels that give it."""
    by_answer = {}
    for kernel in kernels:
        result = kernel.results.get(name)
        if result is None:
            said = "not asked"
        elif result["result"] in compare.ANSWERED:
            state = result["state"][:6] if "state" in result else "not seen whole"
            said = f"{compare.described(result)}, state {state}"
        else:
            differs = result.get("differences") or [result.get("reason", "")]
            said = f"{result['result']}: {differs[0]}"
        by_answer.setdefault(said, []).append(kernel.name)
    return "".join(f"<li>{escape(', '.join(names))}: {escape(said)}</li>"
                   for said, names in by_answer.items())


def section(name, scenario, kernels):
    return f'<section id="{anchor(name)}"><h3>{escape(title_of(name))}</h3>\n' \
           f"<ul>{answers(name, kernels)}</ul>\n<pre>{escape(scenario)}</pre>\n" \
           f"{drawing(name, scenario)}</section>"


def html(cases, kernels, differences):
    names = [name for start in SHOWN for name in sorted(cases) if name.startswith(start)]
    with compare.Models() as models:
        contract = {name: models.answer(cases[name], "contract") for name in names}
    kinds = {(name, kernel.name): kind_of(kernel.results.get(name), contract[name])
             for name in names for kernel in kernels}
    legend = "".join(f"<li>{sign} {meaning}</li>" for _, sign, meaning in KINDS.values())
    tables = [table(caption, [name for name in names if name.startswith(start)], kernels, kinds)
              for caption, start in (("Findings", SHOWN[0]), ("Rules", SHOWN[1]))]
    told = "\n".join(f"<pre>{escape(compare.text_of(one))}</pre>" for one in differences)
    sections = "\n".join(section(name, cases[name], kernels) for name in names)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>pivotcheck: {len(kernels)} kernels</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>What {len(kernels)} kernels answer</h1>
<p>{len(cases)} scenarios; the tables have those of the corpus's findings and rules. Each sign leads
to its scenario.</p><ul>{legend}</ul>
{tables[0]}
{tables[1]}
<h2>Differences</h2>
{told or '<p>None.</p>'}
<h2>Scenarios</h2>
{sections}
</body></html>
"""
