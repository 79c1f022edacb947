#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""look.py: looks at a report as its readers do, in headless Chromium: on a phone (390 pixels wide),
in the light and in the dark.

    python3 bench/look.py REPORT.html PLOTS [--pictures FOLDER]

Is every plot there, as large as a plot, with letters that can be read, and does it say what to see?
Does nothing but what scrolls reach beyond the frame? Do letters and paper differ, as they should in
this mode? Has the console an error, does the page want anything from outside? --pictures leaves
light.png, dark.png and print.pdf, for people.

Exit status: 0; 1 when the page is not as it should be; 2 bad usage; 4 when there is no Chromium.
"""
import argparse
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

WIDTH = 390
LETTERS_MIN = 8  # pixels from the top of the highest letter to the bottom of the lowest
MODES = {"dark": "0", "light": "1"}  # as Blink counts preferred colour schemes


def browse(folder, content, *words):
    """(what Chromium wrote, the lines of the page's console)"""
    path = os.path.join(folder, "page.html")
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    done = subprocess.run(
        ["setpriv", "--pdeathsig", "KILL", "--", "chromium", "--headless", "--no-sandbox",
         "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--virtual-time-budget=3000", f"--user-data-dir={folder}/profile",
         "--enable-logging=stderr", "--disable-background-networking", *words, "file://" + path],
        timeout=120, capture_output=True, text=True, errors="replace", check=False)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def framed(page, height=844):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "look.js")
    with open(script, encoding="utf-8") as file:
        return ("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" "
                f"content=\"light dark\"><script>{file.read()}</script></head><body "
                f"style=\"margin:0\"><iframe style=\"border:0;width:{WIDTH}px;height:{height}px\" "
                f"srcdoc=\"{html.escape(page, quote=True)}\"></iframe></body></html>")


def complaints(mode, found, plots):
    if len(found["plots"]) < plots:
        yield f"{len(found['plots'])} plots, not {plots}"
    if found["wide"] > WIDTH:
        yield f"the page is {found['wide']} pixels wide on a phone of {WIDTH}"
    lighter, darker = ("ink", "paper") if mode == "dark" else ("paper", "ink")
    if found[lighter] - found[darker] < 128:
        yield f"letters and paper: {found['ink']:.0f} on {found['paper']:.0f}"
    for plot in found["plots"]:
        if plot["width"] < WIDTH / 2 or plot["height"] < 100 or plot["marks"] < 10:
            yield f"{plot['id']}: there is nothing to be seen"
        if abs(plot["letters"] - found["paper"]) < 96:
            yield f"{plot['id']}: its letters are {plot['letters']:.0f} on {found['paper']:.0f}"
        if plot["size"] < LETTERS_MIN:
            yield f"{plot['id']}: letters {plot['size']:.1f} pixels high"
        if plot["see"] < 40:
            yield f"{plot['id']}: it does not say what to see"


def look(folder, page, mode, plots):
    dom, console = browse(folder, framed(page), "--dump-dom",
                          f"--blink-settings=preferredColorScheme={MODES[mode]}")
    yield from (f"the console says: {line}" for line in console)
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)
    yield from complaints(mode, json.loads(html.unescape(found[1])), plots) if found else (
        "the page was not shown",)


def take_pictures(folder, page, target):
    os.makedirs(target, exist_ok=True)
    height = 2500 + 700 * page.count("<figure")
    for mode, scheme in MODES.items():
        browse(folder, framed(page, height), f"--screenshot={os.path.abspath(target)}/{mode}.png",
               f"--blink-settings=preferredColorScheme={scheme}", f"--window-size=500,{height}")
    browse(folder, page, f"--print-to-pdf={os.path.abspath(target)}/print.pdf",
           "--no-pdf-header-footer")


def main():
    parser = argparse.ArgumentParser(prog="bench/look.py")
    parser.add_argument("report")
    parser.add_argument("plots", type=int, help="so many are expected, at least")
    parser.add_argument("--pictures", metavar="FOLDER")
    arguments = parser.parse_args()
    if shutil.which("chromium") is None:
        print("look.py: NOT RUN: Chromium is not installed", file=sys.stderr)
        return 4
    with open(arguments.report, encoding="utf-8") as file:
        page = file.read()
    wrong = []
    if re.search(r'(src|href)="(https?:)?//|url\((https?:)?//|@import', page):
        wrong.append("the page wants something from outside")
    with tempfile.TemporaryDirectory() as folder:
        for mode in MODES:
            wrong += [f"{mode}: {each}" for each in look(folder, page, mode, arguments.plots)]
        if arguments.pictures:
            take_pictures(folder, page, arguments.pictures)
    for each in wrong:
        print(f"look.py: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
