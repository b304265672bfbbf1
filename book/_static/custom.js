// A formula that is wider than its column scrolls; then the keyboard must reach it.
(() => {
  const mark = (box) => {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Formula; scrolls sideways");
    } else {
      box.removeAttribute("tabindex");
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
    }
  };
  // The box changes with the window, what is in it when the fonts have come.
  const watch = new ResizeObserver((entries) =>
    entries.forEach(({ target }) => mark(target.closest("div.math"))),
  );
  document
    .querySelectorAll("div.math, div.math > .katex-display")
    .forEach((box) => watch.observe(box));

  // Code, outputs and tables that are wider than their box: its right edge says so until the end
  // is seen.
  const TABLE = "pst-scrollable-table-container";
  const more = (box) => {
    const left = box.scrollWidth - box.clientWidth - box.scrollLeft;
    const edge = box.classList.contains(TABLE) ? box : box.parentElement;
    edge.classList.toggle("goes-on", left > 1);
    // The theme looks when the page is loaded: what was hidden then had no width.
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => more(target)));
  document.querySelectorAll(`article div.highlight > pre, article .${TABLE}`).forEach((box) => {
    sizes.observe(box); // also when what it is folded in opens
    box.addEventListener("scroll", () => more(box), { passive: true });
  });

  // The notebook is downloaded. From disk a browser would show the file instead, so there it
  // gets the page's own copy.
  const link = document.querySelector("a.btn-download-notebook-button");
  const held = document.getElementById("page-notebook");
  if (link && held) {
    link.download = link.pathname.split("/").pop();
    link.removeAttribute("target");
    if (location.protocol === "file:") {
      const bytes = Uint8Array.from(atob(held.textContent), (letter) => letter.charCodeAt(0));
      const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      new Response(text).blob().then((notebook) => {
        link.href = URL.createObjectURL(new Blob([notebook], { type: "application/x-ipynb+json" }));
      });
    }
  }

  // One switch for all code that a page folds. Answers are no such code: they keep their own folds.
  const SWITCH = { show: "Show all code of this page", hide: "Fold all code of this page" };
  const KEPT = "inside-the-lstm-code";
  const code = [...document.querySelectorAll("article .tag_hide-input details.hide")];
  if (code.length > 1) {
    const button = document.createElement("button");
    button.type = "button";
    const turn = (open) => {
      code.forEach((one) => (one.open = open));
      button.textContent = open ? SWITCH.hide : SWITCH.show;
    };
    let open = false;
    try {
      open = localStorage.getItem(KEPT) === "open";
    } catch {
      // A browser that keeps nothing begins with folded code.
    }
    turn(open);
    button.addEventListener("click", () => {
      open = !open;
      turn(open);
      try {
        localStorage.setItem(KEPT, open ? "open" : "folded");
      } catch {
        // Then the choice holds on this page alone.
      }
    });
    const line = document.createElement("p");
    line.className = "all-code";
    line.append(button);
    code[0].closest("div.cell").before(line);
  }

  // The theme's link to the first page stands outside of every landmark, where a screen reader
  // may pass it by.
  const home = document.querySelector(".bd-sidebar-primary .navbar-brand")?.parentElement;
  home?.setAttribute("role", "navigation");
  home?.setAttribute("aria-label", "First page");

  // On paper nothing can be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("article details:not([open])")];
    folded.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));
})();
