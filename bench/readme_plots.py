#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""readme_plots.py: the two plots of README.md, from a run: python3 bench/readme_plots.py bench.json

They are files of their own, which know nothing of the page around them: lines and letters are of a
grey that can be read on white and on black.
"""
import os
import sys

import names
import report

GREY, LINES = "#7d8590", "#8b949e"


def main():
    run = report.Run(names.load(sys.argv[1]))
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plots")
    os.makedirs(folder, exist_ok=True)
    for name, plot in (("phases", report.stacked), ("mounts", report.mounts)):
        sheet = plot(run, report.Sheet(together=True))
        svg = report.paint(sheet.figures[0], name)
        svg = svg.replace("var(--ink)", GREY).replace("var(--grid)", LINES)
        svg = svg.replace('fill="currentColor"', f'fill="{GREY}"')
        names.write_whole(os.path.join(folder, name + ".svg"), svg)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        names.fail("usage: bench/readme_plots.py bench.json")
    main()
