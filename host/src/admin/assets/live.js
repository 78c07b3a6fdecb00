// Keeps the page fresh: when the appliance says that something changed, the page is fetched again and the parts marked
// with data-live are swapped. Without this script every page works the same; it is only older.
"use strict";

(() => {
  const marked = () => document.querySelectorAll("[data-live][id]");
  let wanted = false;
  let busy = false;
  let pause = 0;

  async function refresh() {
    if (busy) {
      wanted = true;
      return;
    }
    if (document.hidden || marked().length === 0) return;
    busy = true;
    wanted = false;
    try {
      const answer = await fetch(location.href, {
        headers: { "x-holdfast-live": "1" },
        credentials: "same-origin",
      });
      if (answer.redirected || answer.status === 401) {
        location.reload();
        return;
      }
      if (answer.ok) {
        swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
        setStale(false);
      }
    } catch {
      setStale(true);
    } finally {
      busy = false;
      if (wanted) schedule();
    }
  }

  // A part that somebody types in, or has opened something in, stays as it is.
  function inUse(part) {
    return (
      part.contains(document.activeElement) &&
      document.activeElement.matches("input, select, textarea, summary")
    ) || part.querySelector("details[open]") !== null;
  }

  function swap(fresh) {
    for (const part of marked()) {
      const next = fresh.getElementById(part.id);
      if (!next || inUse(part) || next.outerHTML === part.outerHTML) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
      part.replaceWith(document.importNode(next, true));
      if (focused) document.getElementById(focused)?.focus();
    }
    if (fresh.title) document.title = fresh.title;
  }

  function setStale(stale) {
    document.getElementById("stale")?.toggleAttribute("hidden", !stale);
  }

  function schedule() {
    clearTimeout(pause);
    pause = setTimeout(refresh, 250);
  }

  if (marked().length > 0) {
    const run = document.querySelector("[data-run]")?.dataset.run;
    const source = new EventSource(run ? `/events?run=${encodeURIComponent(run)}` : "/events");
    source.addEventListener("change", schedule);
    source.addEventListener("open", () => setStale(false));
    source.addEventListener("error", () => setStale(true));
    // Ages grow without any event.
    setInterval(schedule, 30000);
    document.addEventListener("visibilitychange", () => document.hidden || schedule());
  }

  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
})();
