// Where did the decoder look while it wrote each word? Guess one word first, then move over all
// of them.
// The same module runs in a live notebook (anywidget) and in a page from disk; `model` is all it
// knows of either.
// with dom.js

const MAP = { cell: 17, left: 92, right: 44, top: 84, gap: 2 };
const FEW = 0.02; // weights below it have no bar
const MANY = 6; // bars at most

const TEXT = {
  title: "Attention map: where the decoder looked while it wrote each word",
  texts: "Text",
  first: (word, k) =>
    `Before you look: at which word did the decoder look most when it wrote “${word}”, word ${k}?`,
  choose: "choose a word …",
  option: (word, k) => `${k}. ${word}`,
  commit: "That is my guess",
  source: "Read",
  written: "Written",
  right: (words) => `Should be: ${words}`,
  off: "A wave: another word stands there in the right translation.",
  move: "Written word",
  at: (word, k, n) => `${word}, ${k} of ${n}`,
  summary: (written, k, best, place, weight) =>
    `When “${written}” (word ${k}) was written, the largest weight, ${weight}, was ` +
    `at “${best}” (word ${place}).`,
  hit: " That was your guess.",
  miss: (word, weight) => ` Your guess was “${word}”: weight ${weight}.`,
  bars: "Weights of this word",
  rest: (weight) => `All other words together: ${weight}.`,
  map: "All weights: written words downwards, words read to the right",
  read: "read",
  score: (hits, n) => `Guesses right so far: ${hits} of ${n}.`,
  again: "Guess again",
};

const largest = (row) => row.indexOf(Math.max(...row)); // the first one, as numpy.argmax

function render({ model, el }) {
  const { listen, follow, leaving } = listening();
  const texts = model.get("texts");
  const write = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    update();
  };
  const guessOf = (k) => model.get("guesses")[String(k)];

  el.classList.add("lstm-widget", "lw-attention");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", TEXT.title);

  const choice = html("div", { class: "lw-texts", role: "group", "aria-label": TEXT.texts });
  const buttons = texts.map((one, k) => {
    const button = html("button", { type: "button" }, one.name);
    listen(button, "click", () => {
      // The step goes to the first word before, so that no state in between is outside of the text.
      write({ step: 0, text: k });
      write({ step: texts[k].ask });
    });
    choice.append(button);
    return button;
  });
  const source = html("ol", { class: "lw-words", "aria-label": TEXT.source });
  const written = html("ol", { class: "lw-words", "aria-label": TEXT.written });
  const right = html("p", { class: "lw-note" });

  // The guess
  const question = html("span"),
    select = html("select", { ...KEYS });
  const commit = html("button", { type: "button", disabled: "" }, TEXT.commit);
  const asked = html("div", { class: "lw-guess" }, html("label", {}, question, select), commit);
  listen(select, "change", () => commit.toggleAttribute("disabled", select.value === ""));
  listen(commit, "click", () => {
    write({
      guesses: { ...model.get("guesses"), [String(model.get("text"))]: Number(select.value) },
    });
    slider.focus();
  });

  // The map
  const slider = html("input", { type: "range", min: 0, step: 1, ...KEYS });
  listen(slider, "input", () => write({ step: Number(slider.value) }));
  const track = html("label", { class: "lw-track" }, html("span", {}, TEXT.move), slider);
  const summary = html("p", { class: "lw-summary", "aria-live": "polite" });
  const bars = html("div", { class: "lw-bars", role: "group", "aria-label": TEXT.bars });
  const rest = html("p", { class: "lw-note" });
  const map = svg("svg", { class: "lw-map", role: "img", "aria-label": TEXT.map });
  const region = html(
    "div",
    { class: "lw-scroll", tabindex: "0", role: "region", "aria-label": TEXT.map },
    map,
  );
  const score = html("p", { class: "lw-score" });
  const again = html("button", { type: "button" }, TEXT.again);
  listen(again, "click", () => {
    write({ guesses: {}, text: model.get("text"), step: texts[model.get("text")].ask });
    select.focus();
  });
  const shown = html(
    "div",
    {},
    track,
    summary,
    bars,
    rest,
    region,
    score,
    html("div", { class: "lw-buttons" }, again),
  );
  el.append(
    choice,
    html("p", { class: "lw-note" }, TEXT.source),
    source,
    html("p", { class: "lw-note" }, TEXT.written),
    written,
    right,
    asked,
    shown,
  );

  function drawMap(one, step) {
    const { cell, left, right: beyond, top, gap } = MAP;
    const width = left + one.source.length * cell + beyond,
      height = top + one.written.length * cell + 18;
    map.setAttribute("width", width);
    map.setAttribute("height", height);
    map.setAttribute("viewBox", `0 0 ${width} ${height}`);
    map.replaceChildren(
      svg("rect", {
        class: "lw-frame",
        x: left,
        y: top,
        width: one.source.length * cell,
        height: one.written.length * cell,
      }),
    );
    one.source.forEach((word, t) => {
      const x = left + (t + 0.5) * cell + 4,
        y = top - 6;
      map.append(svg("text", { x, y, transform: `rotate(-60 ${x} ${y})` }, word));
    });
    one.written.forEach((word, s) => {
      map.append(
        svg("text", { x: left - 6, y: top + (s + 0.75) * cell, "text-anchor": "end" }, word),
      );
      one.weights[s].forEach((weight, t) => {
        if (weight < 0.005) return;
        map.append(
          svg("rect", {
            class: "lw-cell",
            x: left + t * cell,
            y: top + s * cell,
            width: cell - gap / 2,
            height: cell - gap / 2,
            "fill-opacity": weight,
          }),
        );
      });
    });
    map.append(
      svg("rect", {
        class: "lw-here",
        x: left,
        y: top + step * cell - 1,
        width: one.source.length * cell,
        height: cell + 1,
      }),
    );
    map.append(svg("text", { class: "lw-axis", x: left, y: height - 4 }, TEXT.read));
  }

  function tellBars(one, row) {
    const order = row
      .map((_, t) => t)
      .sort((a, b) => row[b] - row[a])
      .filter((t) => row[t] >= FEW)
      .slice(0, MANY);
    bars.replaceChildren(
      ...order.flatMap((t, k) => {
        const bar = html("span", { class: "lw-bar", "aria-hidden": "true" });
        bar.style.inlineSize = `${100 * row[t]}%`;
        const name = html(
          "span",
          k === 0 ? { class: "lw-most" } : {},
          TEXT.option(one.source[t], t + 1),
        );
        return [
          name,
          html("span", {}, bar),
          html("data", { value: row[t], "data-place": t }, row[t].toFixed(3)),
        ];
      }),
    );
    const left = 1 - order.reduce((sum, t) => sum + row[t], 0);
    rest.textContent = TEXT.rest(Math.max(left, 0).toFixed(3));
  }

  function tellWords(one, step, guess) {
    const row = one.weights[step];
    source.replaceChildren(
      ...one.source.map((word, t) => {
        const item = html("li", {}, word);
        if (guess !== undefined) {
          const part = `${Math.round(45 * row[t])}%`;
          item.style.backgroundColor = `color-mix(in srgb, var(--lw-focus) ${part}, transparent)`;
          if (t === guess && step === one.ask) item.classList.add("lw-yours");
        }
        return item;
      }),
    );
    written.replaceChildren(
      ...one.written.map((word, s) => {
        const item = html("li", {}, word);
        if (s === step) item.classList.add("lw-asked");
        if (s === step) item.setAttribute("aria-current", "true");
        if (one.right.length && one.right[s] !== word) item.classList.add("lw-off");
        return item;
      }),
    );
    const differs = one.right.length && one.right.join(" ") !== one.written.join(" ");
    right.textContent = differs ? `${TEXT.right(one.right.join(" "))}. ${TEXT.off}` : "";
  }

  let drawn = -1;
  function offer(k) {
    if (drawn === k) return;
    drawn = k;
    const one = texts[k];
    question.textContent = TEXT.first(one.written[one.ask], one.ask + 1);
    select.replaceChildren(
      html("option", { value: "" }, TEXT.choose),
      ...one.source.map((word, t) => html("option", { value: t }, TEXT.option(word, t + 1))),
    );
    commit.toggleAttribute("disabled", true);
  }

  function update() {
    const k = model.get("text"),
      one = texts[k],
      guess = guessOf(k),
      step = Math.min(model.get("step"), one.written.length - 1);
    buttons.forEach((button, j) => button.setAttribute("aria-pressed", String(j === k)));
    asked.hidden = guess !== undefined;
    shown.hidden = guess === undefined;
    tellWords(one, guess === undefined ? one.ask : step, guess);
    if (guess === undefined) {
      // What is hidden is empty as well: nothing of the answer may be found before the guess.
      for (const part of [summary, bars, map, score, rest]) part.replaceChildren();
      offer(k);
      return;
    }
    drawn = -1;
    slider.max = one.written.length - 1;
    slider.value = step;
    slider.setAttribute("aria-valuetext", TEXT.at(one.written[step], step + 1, one.written.length));
    const row = one.weights[step],
      best = largest(row);
    let told = TEXT.summary(
      one.written[step],
      step + 1,
      one.source[best],
      best + 1,
      row[best].toFixed(3),
    );
    if (step === one.ask)
      told += best === guess ? TEXT.hit : TEXT.miss(one.source[guess], row[guess].toFixed(3));
    summary.textContent = told;
    tellBars(one, row);
    drawMap(one, step);
    const guessed = Object.entries(model.get("guesses"));
    const hits = guessed.filter(
      ([j, place]) => largest(texts[j].weights[texts[j].ask]) === place,
    ).length;
    score.textContent = TEXT.score(hits, guessed.length);
  }

  follow(model, ["guesses", "text", "step"], update);
  update();
  return leaving(el);
}

export default { render };
