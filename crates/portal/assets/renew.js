// Asks for the page again every few seconds and puts its new content in place of the old. Without it the page is the
// same, only as old as it is. Nothing is replaced while somebody looks elsewhere, has the keyboard's focus in the
// content, has selected something there, or has paused it.
"use strict";
(() => {
  const every = 5000;
  const button = document.getElementById("renew");
  const content = document.getElementById("content");
  let paused = false;

  const isBusy = () => {
    const selection = document.getSelection();
    const within = (node) => node && node !== content && content.contains(node);
    return within(document.activeElement) || (selection && !selection.isCollapsed && within(selection.anchorNode));
  };

  const renew = async () => {
    if (paused || document.hidden || isBusy()) {
      return;
    }
    const answer = await fetch(location.href, { headers: { "selvedge-renewal": "1" } });
    if (answer.redirected) {
      location.reload();
      return;
    }
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("content");
    if (answer.ok && next && !paused && !isBusy()) {
      content.replaceChildren(...next.childNodes);
    }
  };

  const label = () => {
    button.textContent = paused ? button.dataset.goOn : button.dataset.pause;
    button.setAttribute("aria-pressed", String(paused));
  };
  button.addEventListener("click", () => {
    paused = !paused;
    label();
  });
  label();
  button.hidden = false;
  // A control plane that is away for a while is asked again; the page stays as it was.
  setInterval(() => renew().catch(() => {}), every);
})();
