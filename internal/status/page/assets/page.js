// Shows times relative to now, and applies the changes that the server sends as elements by
// id, without loading the page again.
"use strict";
(() => {
  const page = document.body.dataset;
  const live = document.getElementById("live");
  const liveText = document.getElementById("live-text");

  // The server writes times in UTC.
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
  const minutes = new Intl.DateTimeFormat(undefined, { timeStyle: "short", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  function clock(then, format) {
    if (then.toDateString() === new Date().toDateString()) return format.format(then);
    return `${day.format(then)} ${minutes.format(then)}`;
  }
  function span(seconds) {
    const s = Math.abs(seconds);
    if (s < 60) return `${Math.floor(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 172800) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} d`;
  }
  // A time in the past is never shown as one to come.
  function ago(then) { return `${span((Date.now() - then) / 1000)} ago`; }
  const phrases = {
    at: (then) => clock(then, seconds),
    minute: (then) => clock(then, minutes),
    since: (then) => `${clock(then, minutes)} (${ago(then)})`,
    next: (then) => (then > Date.now() ? `in ${span((then - Date.now()) / 1000)} (${clock(then, minutes)})` : "now"),
  };
  function write(element, text) { if (element.textContent !== text) element.textContent = text; }
  function showTimes(root) {
    for (const time of root.querySelectorAll("time[data-rel]")) {
      const then = new Date(time.dateTime);
      write(time, phrases[time.dataset.rel](then));
      time.title = full.format(then);
    }
    for (const element of root.querySelectorAll("[data-ago]")) write(element, ago(new Date(element.dataset.ago)));
    for (const tick of root.querySelectorAll("[data-time]")) write(tick, clock(new Date(tick.dataset.time), minutes));
  }
  showTimes(document);
  setInterval(() => showTimes(document), 5000);
  document.getElementById("zone").textContent = "of this browser";

  // Copying works on localhost and over TLS, where browsers allow it.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = button.querySelector("span:not(.unseen)");
    text.dataset.id ||= text.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      write(text, "copied");
    } catch {
      write(text, button.dataset.copy);
    }
    setTimeout(() => write(text, text.dataset.id), 2000);
  });

  if (!page.of || !window.EventSource) return;

  // merge makes old like fresh and keeps the elements that are there, so that focus,
  // selection and scroll stay.
  function merge(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const present = [...old.childNodes];
    const wanted = [...fresh.childNodes];
    wanted.forEach((child, i) => (i < present.length ? merge(present[i], child) : old.append(child)));
    present.slice(wanted.length).forEach((child) => child.remove());
  }

  function element(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  // Announcements are at least this many milliseconds apart, so that a screen reader can
  // read other things. In between only the latest is kept.
  const pause = 10000;
  let announced = 0;
  let due = 0;
  function announce(text) {
    clearTimeout(due);
    const box = document.getElementById("announce");
    const left = announced + pause - Date.now();
    if (left > 0) {
      due = setTimeout(() => announce(text), left);
    } else if (box.textContent !== text) {
      announced = Date.now();
      box.textContent = text;
    }
  }

  const rows = document.getElementById("rows");
  function take(patch) {
    document.title = `${patch.title} · Greenlight`;
    announce(patch.heading);
    for (const [id, html] of Object.entries(patch.blocks || {})) {
      const old = document.getElementById(id);
      if (!old) continue;
      const fresh = element(html);
      showTimes(fresh);
      merge(old, fresh);
    }
    const fresh = new Map();
    for (const [id, html] of Object.entries(patch.rows || {})) {
      const made = element(html);
      showTimes(made);
      const old = document.getElementById(id);
      if (old) merge(old, made);
      else fresh.set(id, made);
    }
    if (source) showLive();
    if (!patch.order) return;
    const keep = new Set(patch.order);
    for (const row of [...rows.children]) if (!keep.has(row.id)) row.remove();
    patch.order.forEach((id, i) => {
      const row = fresh.get(id) || document.getElementById(id);
      if (row && rows.children[i] !== row) rows.insertBefore(row, rows.children[i] || null);
    });
  }

  function show(is, text) {
    live.dataset.is = is;
    liveText.textContent = text;
  }

  // A live page is still not current while the server cannot read NATS.
  function showLive() {
    if (document.querySelector("#alerts[data-stale]")) {
      show("broken", "Not current");
      return;
    }
    show("live", "Live");
    const updated = document.getElementById("updated");
    updated.dateTime = new Date().toISOString();
    write(updated, phrases.at(new Date()));
  }

  let source = null;
  let version = page.version;
  let again = 0;
  function open() {
    clearTimeout(again);
    source = new EventSource(`/status/events?of=${encodeURIComponent(page.of)}&since=${encodeURIComponent(version)}`);
    source.onopen = showLive;
    source.addEventListener("patch", (event) => {
      version = event.lastEventId;
      take(JSON.parse(event.data));
    });
    source.addEventListener("here", showLive);
    source.addEventListener("gone", () => {
      close();
      show("broken", "No longer there");
    });
    source.onerror = () => {
      if (!source) return;
      show("broken", "Not live: trying again");
      // The browser tries again by itself, unless the server refused.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 15000);
    };
  }
  function close() {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  }
  // A hidden page closes its stream: a browser opens at most six for a host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!source) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted && !source) open(); });
  if (!document.hidden) open();
})();
