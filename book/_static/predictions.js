// Choices that a reader makes are kept in this browser, told right or wrong, and summed up where
// a page has a score.
// The lists come from book/_ext/inside/predictions.py; without this script they are plain lists.
(() => {
  const NAME = "inside-the-lstm-predictions";
  const TEXT = {
    group: "Your answer",
    commit: "This is my answer",
    right: "Right.",
    wrong: (letter) => `Not this one. The answer is (${letter}).`,
    later: "What comes here would tell the answer. Choose above first.",
    score: (right, answered, all) =>
      `${right} of ${answered} answers were right. ${answered} of ${all} questions are answered.`,
    none: (all) =>
      `No question is answered yet, of ${all}. Each page below asks: choose before you read on.`,
    row: (right, answered) => `${right} of ${answered}`,
    kept: "The answers are kept in this browser only; nothing is sent.",
    lost:
      "This browser keeps nothing for pages like this one: the answers last until the " +
      "page is left.",
    forget: "Forget all answers",
    sure: "Forget them: press once more",
    gone: "All answers are forgotten.",
  };
  const LETTER = /^\s*\(([a-h])\)/;

  // Storage may be missing, refuse (some browsers do from disk), or hold what is not ours:
  // then answers last as long as the page.
  let held = {};
  let keeps = true;
  const read = () => {
    let text = null;
    try {
      text = localStorage.getItem(NAME);
    } catch {
      keeps = false;
      return;
    }
    try {
      const found = JSON.parse(text);
      held = found !== null && typeof found === "object" && !Array.isArray(found) ? found : {};
    } catch {
      held = {};
    }
  };
  const write = () => {
    try {
      localStorage.setItem(NAME, JSON.stringify(held));
    } catch {
      keeps = false;
    }
  };

  const html = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const keyOf = (page, number) => `${page}:${number}`;
  const answerOf = (list) => held[keyOf(list.dataset.page, list.dataset.number)];

  function ask(list, whenever) {
    const name = `choice-${list.dataset.number}`;
    const inputs = [...list.children].map((item) => {
      const letter = LETTER.exec(item.textContent)?.[1];
      const input = html("input", { type: "radio", name, value: letter });
      // A paragraph in an item would end the label's line.
      const inside =
        item.children.length === 1 && item.firstElementChild.tagName === "P"
          ? item.firstElementChild
          : item;
      item.replaceChildren(html("label", {}, input, html("span", {}, ...inside.childNodes)));
      item.setAttribute("role", "none");
      return input;
    });
    list.setAttribute("role", "radiogroup");
    list.setAttribute("aria-label", TEXT.group);
    const commit = html("button", { type: "button", class: "choice-commit" }, TEXT.commit);
    const told = html("span", { "aria-live": "polite" });
    list.after(html("div", { class: "choice-told" }, commit, told));
    const show = () => {
      const answer = answerOf(list);
      const done = inputs.some((input) => input.value === answer);
      for (const input of inputs) {
        if (done) input.checked = input.value === answer;
        input.disabled = done;
        input
          .closest("li")
          .classList.toggle("choice-right", done && input.value === list.dataset.right);
      }
      commit.hidden = done;
      commit.disabled = !inputs.some((input) => input.checked);
      told.textContent = !done
        ? ""
        : answer === list.dataset.right
          ? TEXT.right
          : TEXT.wrong(list.dataset.right);
    };
    list.addEventListener("change", show);
    commit.addEventListener("click", () => {
      const chosen = inputs.find((input) => input.checked);
      if (!chosen) return;
      read();
      held[keyOf(list.dataset.page, list.dataset.number)] = chosen.value;
      write();
      told.tabIndex = -1;
      whenever();
      told.focus(); // the button is gone
    });
    return show;
  }

  // A cell that would tell the answer waits for all questions before it.
  function wait(cell, lists) {
    const before = lists.filter(
      (list) => list.compareDocumentPosition(cell) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    const note = html("p", { class: "choice-later" }, TEXT.later);
    cell.before(note);
    return () => {
      const waits = !before.every((list) => answerOf(list) !== undefined);
      cell.hidden = waits;
      note.hidden = !waits;
    };
  }

  function score(table, whenever) {
    const summary = html("p", { class: "score-summary", "aria-live": "polite" }),
      kept = html("p");
    const forget = html("button", { type: "button" }, TEXT.forget);
    table.parentElement.before(summary);
    table.parentElement.after(kept, forget);
    let asked = false;
    forget.addEventListener("click", () => {
      if (!asked) {
        asked = true;
        forget.textContent = TEXT.sure;
        return;
      }
      held = {};
      write();
      whenever();
      summary.textContent = TEXT.gone;
    });
    forget.addEventListener("blur", () => {
      asked = false;
      forget.textContent = TEXT.forget;
    });
    return () => {
      let right = 0,
        answered = 0,
        all = 0;
      for (const row of table.tBodies[0].rows) {
        const letters = [...row.dataset.right],
          given = letters.map((_, k) => held[keyOf(row.dataset.page, k)]);
        const here = given.filter((letter) => letter !== undefined).length,
          hits = letters.filter((letter, k) => letter === given[k]).length;
        [right, answered, all] = [right + hits, answered + here, all + letters.length];
        row.lastElementChild.textContent = here === 0 ? "–" : TEXT.row(hits, here);
      }
      summary.textContent = answered === 0 ? TEXT.none(all) : TEXT.score(right, answered, all);
      kept.textContent = keeps ? TEXT.kept : TEXT.lost;
      asked = false;
      forget.textContent = TEXT.forget;
      forget.disabled = answered === 0;
    };
  }

  read();
  write(); // whether it can
  const lists = [...document.querySelectorAll("ul.choices[data-right]")];
  const parts = [];
  const whenever = () => parts.forEach((show) => show());
  for (const list of lists) parts.push(ask(list, whenever));
  for (const cell of document.querySelectorAll("div.cell.tag_after-choice"))
    parts.push(wait(cell, lists));
  for (const table of document.querySelectorAll("table.score")) parts.push(score(table, whenever));
  whenever();
  addEventListener("storage", (event) => {
    if (event.key !== null && event.key !== NAME) return; // null: all was cleared
    read();
    whenever();
  });
  addEventListener("beforeprint", () =>
    document.querySelectorAll("div.cell.tag_after-choice").forEach((cell) => (cell.hidden = false)),
  );
  addEventListener("afterprint", whenever);
})();
