// One slider, a forget gate, and what it leaves of a number step by step: bars that shrink.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js

const STEPS = 100; // as in forget_slider.py
const CHART = { height: 170, top: 22, bottom: 28 };

const TEXT = {
  title: "What a forget gate leaves of a number",
  gate: "forget gate",
  spoken: "forget gate: the part that is kept at each step",
  x: "step",
  now: "all",
  left: (steps) => `after ${steps} steps`,
  half: (steps) =>
    steps === null ? "With f = 1 nothing is ever lost." : `Half is left after ${steps} steps.`,
  percent: (value) => `${value} %`,
};

// A share in per cent with three digits; what is too small for that says how small
function percent(share) {
  const value = 100 * share;
  if (value >= 99.95) return TEXT.percent("100");
  if (value >= 0.001) return TEXT.percent(value.toPrecision(value >= 0.1 ? 3 : 2));
  return TEXT.percent(
    `0.${"0".repeat(Math.max(0, -Math.floor(Math.log10(value)) - 1))}${value.toExponential(0)[0]}`,
  );
}

const halfLife = (f) => (f >= 1 ? null : (Math.log(0.5) / Math.log(f)).toPrecision(3));

function render({ model, el }) {
  const { listen, follow, resized, leaving } = listening();
  el.classList.add("lstm-widget", "lw-forget");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  const input = html("input", {
    type: "range",
    min: 0.8,
    max: 1,
    step: 0.001,
    "aria-label": TEXT.spoken,
    ...KEYS,
  });
  const shown = html("output", {});
  listen(input, "input", () => {
    model.set("f", Number(input.value));
    model.save_changes();
    update();
  });
  const slider = html(
    "label",
    { class: "lw-slider" },
    html("span", {}, `${TEXT.gate} `, html("i", {}, "f")),
    input,
    shown,
  );
  const chart = svg("svg", { class: "lw-chart", role: "img", height: CHART.height });
  const bars = Array.from({ length: STEPS + 1 }, (_, k) =>
    svg("rect", { class: "lw-bar", "data-step": k }),
  );
  const ground = svg("g", {});
  chart.append(ground, ...bars);
  const last = html("b", {}),
    half = html("span", {});
  const summary = html(
    "p",
    { class: "lw-summary", "aria-live": "polite" },
    `${TEXT.left(STEPS)}: `,
    last,
    ". ",
    half,
  );
  el.append(slider, chart, summary);

  function drawChart(f) {
    const width = Math.max(el.clientWidth, 240),
      bottom = CHART.height - CHART.bottom,
      high = bottom - CHART.top;
    const one = width / (STEPS + 1);
    chart.setAttribute("width", width);
    bars.forEach((bar, k) => {
      const share = f ** k;
      for (const [name, value] of Object.entries({
        x: k * one,
        y: bottom - high * share,
        width: Math.max(one - 1, 1),
        height: high * share,
      })) {
        bar.setAttribute(name, value.toFixed(2));
      }
    });
    ground.replaceChildren(
      svg("path", { class: "lw-line", d: `M0 ${bottom}H${width}` }),
      svg("text", { x: 0, y: CHART.top - 8 }, TEXT.now),
    );
    for (let k = 0; k <= STEPS; k += 20) {
      const anchor = k === 0 ? "start" : k === STEPS ? "end" : "middle";
      const x = k === 0 ? 0 : k === STEPS ? width : (k + 0.5) * one;
      ground.append(
        svg(
          "text",
          { x, y: CHART.height - 8, "text-anchor": anchor },
          k === 0 ? `${TEXT.x} 0` : String(k),
        ),
      );
    }
  }

  function update() {
    const f = model.get("f");
    if (Number(input.value) !== f) input.value = f;
    shown.textContent = f.toFixed(3);
    const left = percent(f ** STEPS);
    last.textContent = left;
    half.textContent = TEXT.half(halfLife(f));
    input.setAttribute("aria-valuetext", `${f.toFixed(3)}; ${TEXT.left(STEPS)} ${left}`);
    chart.setAttribute("aria-label", `${TEXT.title}. f = ${f.toFixed(3)}, ${summary.textContent}`);
    drawChart(f);
  }

  follow(model, ["f"], update);
  resized(el, () => drawChart(model.get("f")));
  update();
  return leaving(el);
}

export default { render };
