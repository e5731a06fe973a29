"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const hidden = new Set(); // sizes switched off in the legend
  // No mode bar: it offers to upload the chart. Drag zooms, a double click resets.
  const config = { displayModeBar: false, showSendToCloud: false, plotlyServerURL: "" };
  const narrowestPanel = 320; // pixels
  const widestPanel = 860;
  const paper = 680; // between the margins of an A4 page

  function draw(name, room) {
    const { traces, layouts } = figures[name];
    const columns = Math.min(layouts.length, Math.max(1, Math.floor(room / narrowestPanel)));
    const width = Math.min(room, columns * widestPanel);
    const layout = { ...structuredClone(layouts[columns - 1]), width, uirevision: "kept" };
    // A finger that drags scrolls the page.
    if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
    const shown = traces.map((trace) => ({ ...trace, visible: !hidden.has(trace.legendgroup) }));
    const element = document.getElementById(name);
    element.querySelector(".undrawn")?.remove();
    return Plotly.react(element, shown, layout, config);
  }

  function drawAll(room) {
    for (const name of Object.keys(figures)) {
      draw(name, room ?? document.getElementById(name).clientWidth);
    }
  }

  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const { size } = button.dataset;
      const show = hidden.delete(size);
      if (!show) hidden.add(size);
      button.setAttribute("aria-pressed", String(show));
      draw("figure-loss", document.getElementById("figure-loss").clientWidth);
    });
  }

  for (const button of document.querySelectorAll(".save")) {
    const { figure } = button.dataset;
    button.hidden = false;
    button.addEventListener("click", () => {
      const { width, height } = document.getElementById(figure).layout;
      Plotly.downloadImage(figure, { format: "svg", filename: figure, width, height });
    });
  }

  let room = document.querySelector("main").clientWidth;
  addEventListener("resize", () => {
    const now = document.querySelector("main").clientWidth;
    if (now !== room) drawAll();
    room = now;
  });
  addEventListener("beforeprint", () => drawAll(paper));
  addEventListener("afterprint", () => drawAll());
  drawAll();
  document.documentElement.dataset.figures = "drawn";
})();
