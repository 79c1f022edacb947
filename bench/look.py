#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""look.py: looks at a report as its readers do, in headless Chromium: on a phone (390 pixels wide),
in the light and in the dark.

    python3 bench/look.py REPORT.html PLOTS [--pictures FOLDER]

The page is put into a frame of that width, and asked: is every plot there, is it as large as a
plot, are its letters large enough to be read, and does it tell what to see? Does nothing reach
beyond the frame but what scrolls by itself? Do letters and paper differ, as they should in this
mode? Does the console have an error, does the page want anything from outside? With --pictures it
also leaves light.png, dark.png and print.pdf, for people.

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
SECONDS = 120
MODES = {"dark": "0", "light": "1"}  # as Blink counts preferred colour schemes

PROBE = """
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const view = page.defaultView, root = page.documentElement;
  const shade = text => text.match(/[0-9.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
  const plots = [...page.querySelectorAll("figure.plot")].map(plot => {
    const boxes = [...plot.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect());
    const letters = [...plot.querySelectorAll("svg text")];
    return {id: plot.id, width: Math.min(...boxes.map(box => box.width)),
            height: boxes.reduce((sum, box) => sum + box.height, 0),
            marks: plot.querySelectorAll("svg path, svg use, svg rect").length,
            letters: letters.length ? shade(view.getComputedStyle(letters[0]).fill) : -1,
            size: Math.min(...letters.map(text => text.getBoundingClientRect().height)),
            see: (plot.querySelector("figcaption") || {textContent: ""}).textContent.length};
  });
  const told = {plots, wide: root.scrollWidth, ink: shade(view.getComputedStyle(page.body).color),
                paper: shade(view.getComputedStyle(page.body).backgroundColor)};
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify(told);
  document.body.append(result);
});
</script>
"""


def framed(page, height):
    return ("<!DOCTYPE html><html><head><meta charset=\"utf-8\">"
            f"<meta name=\"color-scheme\" content=\"light dark\">{PROBE}</head>"
            "<body style=\"margin:0\">"
            f"<iframe style=\"border:0;width:{WIDTH}px;height:{height}px\" "
            f"srcdoc=\"{html.escape(page, quote=True)}\"></iframe></body></html>")


class Browser:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, path, *words):
        """(what it wrote, what its console said)"""
        command = [self.program, "--headless", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--hide-scrollbars", "--virtual-time-budget=3000",
                   f"--user-data-dir={self.folder}/profile", "--enable-logging=stderr",
                   "--disable-background-networking", *words, "file://" + path]
        done = subprocess.run(["setpriv", "--pdeathsig", "KILL", "--"] + command, timeout=SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        messages = done.stderr.decode(errors="replace").splitlines()
        return (done.stdout.decode(errors="replace"),
                [line for line in messages if "CONSOLE" in line])

    def told(self, path, mode):
        scheme = f"--blink-settings=preferredColorScheme={MODES[mode]}"
        dom, console = self.run(path, "--dump-dom", scheme)
        found = re.search(r'<pre id="told">(.*?)</pre>', dom, re.S)
        return (json.loads(html.unescape(found.group(1))) if found else None), console


def complaints(mode, told, console, plots):
    for line in console:
        yield f"the console says: {line}"
    if told is None:
        yield "the page was not shown"
        return
    if len(told["plots"]) < plots:
        yield f"{len(told['plots'])} plots, not {plots}"
    if told["wide"] > WIDTH:
        yield f"the page is {told['wide']} pixels wide on a phone of {WIDTH}"
    lighter, darker = ("ink", "paper") if mode == "dark" else ("paper", "ink")
    if told[lighter] - told[darker] < 128:
        yield f"letters and paper: {told['ink']:.0f} on {told['paper']:.0f}"
    for plot in told["plots"]:
        if plot["width"] < WIDTH / 2 or plot["height"] < 100 or plot["marks"] < 10:
            yield f"{plot['id']}: there is nothing to be seen"
        if abs(plot["letters"] - told["paper"]) < 96:
            yield f"{plot['id']}: its letters are {plot['letters']:.0f} on {told['paper']:.0f}"
        if plot["size"] < LETTERS_MIN:
            yield f"{plot['id']}: letters {plot['size']:.1f} pixels high"
        if plot["see"] < 40:
            yield f"{plot['id']}: it does not tell what to see"


def pictures(browser, path, page, told, folder):
    os.makedirs(folder, exist_ok=True)
    for mode, scheme in MODES.items():
        height = 2500 if told is None else int(2500 + sum(p["height"] for p in told["plots"]))
        with open(path, "w", encoding="utf-8") as file:
            file.write(framed(page, height))
        browser.run(path, f"--screenshot={os.path.abspath(folder)}/{mode}.png",
                    f"--blink-settings=preferredColorScheme={scheme}",
                    f"--window-size={max(WIDTH, 500)},{height}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
    browser.run(path, f"--print-to-pdf={os.path.abspath(folder)}/print.pdf",
                "--no-pdf-header-footer")


def main():
    parser = argparse.ArgumentParser(prog="bench/look.py")
    parser.add_argument("report")
    parser.add_argument("plots", type=int, help="so many are expected, at least")
    parser.add_argument("--pictures", metavar="FOLDER")
    arguments = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        print("look.py: NOT RUN: Chromium is not installed", file=sys.stderr)
        return 4
    with open(arguments.report, encoding="utf-8") as file:
        page = file.read()
    wrong = []
    if re.search(r'(src|href)="(https?:)?//|url\((https?:)?//|@import', page):
        wrong.append("the page wants something from outside")
    with tempfile.TemporaryDirectory() as folder:
        browser, path = Browser(program, folder), os.path.join(folder, "page.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(framed(page, 844))
        told = None
        for mode in MODES:
            told, console = browser.told(path, mode)
            wrong += [f"{mode}: {each}" for each in complaints(mode, told, console,
                                                               arguments.plots)]
        if arguments.pictures:
            pictures(browser, path, page, told, arguments.pictures)
    for each in wrong:
        print(f"look.py: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
