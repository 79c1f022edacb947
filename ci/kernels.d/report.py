# SPDX-License-Identifier: Apache-2.0
"""report.py: `ci/kernels report [RESULTS...]`: what `run` found, for people and for other programs.

    text     a line for each kernel, then each difference (compare.py)
    json     one object: kernels, differences
    ktap     the kernel's test protocol (Documentation/dev-tools/ktap.rst), a subtest for a kernel
    junit    XML, a test suite for each kernel
    html     one page that needs nothing else: rules and findings by kernel (page.py)

A scenario passes on a kernel where that agrees with its model and with what the scenario states.
What was skipped, or could not be run, has its reason; what was not run makes its kernel fail."""
import json
import sys
from xml.sax.saxutils import escape, quoteattr

import compare
import matrix
import page
import results

PASSED, SKIPPED = ("agree",), ("skipped",)


def reason_of(result):
    """One line: why it did not pass."""
    if result["result"] == "disagree":
        if result.get("differences"):
            return f"disagree at step {result['step']}: {result['differences'][0]}"
        return (f"disagree at step {result['step']}: kernel {result['kernel']}, "
                f"model {result['model']} {result.get('rule', '')}").rstrip()
    text = result["result"] if result["result"] not in PASSED else "warned"
    told = (result.get("warnings") or [result.get("reason", "")])[0]
    return " ".join(f"{text}: {told}".split())


def passed(result):
    return result["result"] in PASSED and not result.get("warnings")


def counts_of(kernel):
    counts = {}
    for result in kernel.results.values():
        counts[result["result"]] = counts.get(result["result"], 0) + 1
    counts["state_unseen"] = sum(bool(each.get("state_unseen")) for each in kernel.results.values())
    counts["warned"] = sum(bool(each.get("warnings")) for each in kernel.results.values())
    counts["not_run"] = kernel.not_run
    return {kind: count for kind, count in counts.items() if count}


def whole_of(cases, kernels, differences):
    return {"scenarios": len(cases),
            "kernels": [{**kernel.header, "kernel": kernel.name, "counts": counts_of(kernel)}
                        for kernel in kernels],
            "differences": differences}


def text(cases, kernels, differences):
    lines = [f"{len(cases)} scenarios"]
    for kernel in kernels:
        counts = ", ".join(f"{count} {kind}" for kind, count in counts_of(kernel).items())
        lines.append(f"{kernel.name:<10} {counts}")
    return "\n".join(lines) + "\n\n" + "\n".join(map(compare.text_of, differences))


# --- KTAP

def ktap_line(number, name, result):
    name = name.replace("#", "_")
    if result["result"] in SKIPPED:
        return f"ok {number} {name} # SKIP {reason_of(result)}"
    if passed(result):
        return f"ok {number} {name}"
    return f"not ok {number} {name}"


def ktap(_, kernels, __):
    lines = ["KTAP version 1", f"1..{len(kernels)}"]
    for number, kernel in enumerate(kernels, 1):
        rows = list(kernel.results.items())
        lines += ["  KTAP version 1", f"  1..{len(rows) + bool(kernel.not_run)}"]
        for index, (name, result) in enumerate(rows, 1):
            if not passed(result) and result["result"] not in SKIPPED:
                lines.append(f"  # {name}: {reason_of(result)}")
            lines.append("  " + ktap_line(index, name, result))
        if kernel.not_run:
            lines.append(f"  not ok {len(rows) + 1} {kernel.not_run} scenarios were not run")
        is_fine = not kernel.not_run and all(
            passed(result) or result["result"] in SKIPPED for result in kernel.results.values())
        lines.append(f"{'ok' if is_fine else 'not ok'} {number} linux-{kernel.name}")
    return "\n".join(lines) + "\n"


# --- JUnit

def junit_case(kernel, name, result):
    seconds = result.get("ms", 0) / 1000
    head = f"  <testcase classname={quoteattr(kernel)} name={quoteattr(name)} " \
           f'time="{seconds:.3f}"'
    if passed(result):
        return head + "/>"
    tag = "skipped" if result["result"] in SKIPPED else \
          "error" if result["result"] == "failed" else "failure"
    told = (result.get(key) for key in ("log", "warnings", "differences"))
    details = "\n".join(next(filter(None, told), []))
    return f"{head}>\n    <{tag} message={quoteattr(printable(reason_of(result)))}>" \
           f"{escape(printable(details))}</{tag}>\n  </testcase>"


def printable(text_):
    """XML has no control characters."""
    return "".join(char for char in text_ if char >= " " or char in "\n\t")


def junit(_, kernels, __):
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for kernel in kernels:
        rows = dict(kernel.results)
        if kernel.not_run:
            rows["not run"] = {"result": "failed", "reason": f"{kernel.not_run} scenarios"}
        kinds = [result["result"] for result in rows.values() if not passed(result)]
        errors, skipped = kinds.count("failed"), sum(kind in SKIPPED for kind in kinds)
        lines.append(f"<testsuite name=\"linux-{kernel.name}\" tests=\"{len(rows)}\" "
                     f"failures=\"{len(kinds) - errors - skipped}\" errors=\"{errors}\" "
                     f"skipped=\"{skipped}\">")
        lines += [junit_case(f"linux-{kernel.name}", name, result) for name, result in rows.items()]
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def as_json(cases, kernels, differences):
    return json.dumps(whole_of(cases, kernels, differences)) + "\n"


FORMATS = {"text": text, "json": as_json, "ktap": ktap, "junit": junit, "html": page.html}


def report(options):
    cases, kernels = results.read(options.results or [matrix.RESULTS])
    with_differences = options.format in ("text", "json", "html")
    differences = compare.differences(cases, kernels) if with_differences else []
    made = FORMATS[options.format](cases, kernels, differences)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(made)
    else:
        sys.stdout.write(made)
    return 0
