// Keeps the page true: parts of it as the server renders them anew, output as it comes. Everything works without.
"use strict";
(() => {
  const said = document.getElementById("said");
  const badge = document.querySelector("[data-waiting]");
  const title = document.title;
  const STAYS_MS = 15000; // what is said lies over the page, and is seen there as well

  let leaving = setTimeout(() => tell(""), STAYS_MS);
  function tell(text, stays = false) {
    clearTimeout(leaving);
    said.textContent = text;
    if (text && !stays) leaving = setTimeout(() => tell(""), STAYS_MS);
  }

  function waiting(count) {
    if (!badge) return;
    const before = Number(badge.textContent);
    badge.textContent = String(count);
    badge.hidden = count === 0;
    document.title = count ? `(${count}) ${title}` : title;
    if (count > before) tell(count === 1 ? "A question waits for a person." : `${count} questions wait for a person.`);
  }

  // What has not changed stays the node that it is, and what somebody is in the middle of is left alone.
  function renew(old, now) {
    const known = new Set(Array.from(now.children, (child) => child.id));
    const there = new Map(Array.from(old.children, (child) => [child.id, child]));
    let last = null;
    for (const child of Array.from(now.children)) {
      let mine = there.get(child.id);
      there.delete(child.id);
      if (!mine) mine = child;
      else if (child.hasAttribute("data-keyed") && mine.hasAttribute("data-keyed")) renew(mine, child);
      else if (!mine.isEqualNode(child) && !mine.contains(document.activeElement)) {
        mine.replaceWith(child);
        mine = child;
      }
      let place = last ? last.nextElementSibling : old.firstElementChild;
      while (place?.matches(".question") && !known.has(place.id)) place = place.nextElementSibling;
      if (mine !== place) old.insertBefore(mine, place);
      last = mine;
    }
    for (const gone of there.values()) {
      if (gone.matches(".question")) putAside(gone);
      else if (!gone.contains(document.activeElement)) gone.remove();
    }
  }

  // A question that is answered elsewhere stays where it is, so that none other moves under a hand that is about to answer.
  function putAside(question) {
    question.classList.add("gone");
    for (const each of question.querySelectorAll("button, input")) each.disabled = true;
  }

  // A connection that breaks is made again by the browser; one that is refused is not.
  function tellEnd(source) {
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) tell("This page is not kept up any more; load it again.", true);
    });
  }

  function keepParts(live) {
    let source = null;
    const start = () => {
      source = new EventSource(live.dataset.live);
      source.addEventListener("part", (message) => {
        const { html, waits } = JSON.parse(message.data);
        const parsed = new DOMParser().parseFromString(html, "text/html"); // a script in it would not run
        renew(live, parsed.body);
        waiting(waits);
      });
      source.addEventListener("gone", () => location.reload());
      tellEnd(source);
    };
    start();
    document.addEventListener("visibilitychange", () => {
      source.close();
      if (!document.hidden) start();
    });
  }

  const MOST = 400000; // characters of a stream that stay on the page

  function keepOutput(output) {
    const source = new EventSource(output.dataset.output);
    tellEnd(source);
    source.addEventListener("output", (message) => {
      const { stream, text } = JSON.parse(message.data);
      const pre = document.getElementById(stream);
      const follows = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 20;
      pre.append(text);
      while (pre.textContent.length > MOST && pre.firstChild !== pre.lastChild) pre.firstChild.remove();
      if (follows) pre.scrollTop = pre.scrollHeight;
    });
    source.addEventListener("over", (message) => {
      source.close();
      const status = document.getElementById("status");
      status.textContent = JSON.parse(message.data).status;
      status.classList.remove("now");
      tell(`The job is over: ${status.textContent}.`);
    });
  }

  for (const pre of document.querySelectorAll("pre.output")) pre.scrollTop = pre.scrollHeight;
  const live = document.querySelector("[data-live]");
  const output = document.querySelector("[data-output]");
  if (live) keepParts(live);
  if (output) keepOutput(output);
})();
