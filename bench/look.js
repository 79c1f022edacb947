// SPDX-License-Identifier: Apache-2.0
// look.js: what look.py asks the page in the frame, once it is shown; the answer is JSON in #found.
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const view = page.defaultView;
  const shade = text => text.match(/[0-9.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
  const plots = [...page.querySelectorAll("figure.plot")].map(plot => {
    const box = plot.querySelector("svg").getBoundingClientRect();
    const letters = [...plot.querySelectorAll("svg text")];
    return {id: plot.id, width: box.width, height: box.height,
            marks: plot.querySelectorAll("svg path, svg use, svg rect").length,
            letters: letters.length ? shade(view.getComputedStyle(letters[0]).fill) : -1,
            size: Math.min(...letters.map(text => text.getBoundingClientRect().height)),
            see: (plot.querySelector("figcaption") || {textContent: ""}).textContent.length};
  });
  const style = view.getComputedStyle(page.body);
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify({plots, wide: page.documentElement.scrollWidth,
                                       ink: shade(style.color),
                                       paper: shade(style.backgroundColor)});
  document.body.append(result);
});
