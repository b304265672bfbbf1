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
