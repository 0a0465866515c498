// Shows times relative to now, makes ids short, and applies the changes that the server sends
// as elements by id, without loading the page again.
"use strict";
(() => {
  const page = document.body.dataset;
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const liveText = document.getElementById("live-text");

  // The server writes times in UTC.
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
  const minutes = new Intl.DateTimeFormat(undefined, { timeStyle: "short", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  function clock(then, format) {
    if (then.toDateString() === new Date(Date.now()).toDateString()) return format.format(then);
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
  document.getElementById("zone").textContent = "of this browser";

  // say lets a screen reader read a text.
  function say(text) { document.getElementById("announce").textContent = text; }

  function element(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  }

  // Ids that could not be copied are shown in full, so that they can be selected.
  const inFull = new Set();
  function showId(button) {
    const id = button.title;
    write(button.children[1], id.length <= 12 || inFull.has(id) ? id : `${id.slice(0, 6)}…${id.slice(-4)}`);
  }
  // prepare shows the times, and makes each id a button that copies it.
  function prepare(root) {
    showTimes(root);
    for (const id of root.querySelectorAll("span.id")) {
      const button = element('<button class="id" type="button"><span class="unseen">Copy </span><span></span><svg aria-hidden="true" width="12" height="12"><use href="#copy"/></svg></button>');
      button.title = id.textContent;
      showId(button);
      id.replaceWith(button);
    }
    return root;
  }
  prepare(document);

  // Copying works on localhost and over TLS, where browsers allow it.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.id");
    if (!button) return;
    const id = button.title;
    try {
      await navigator.clipboard.writeText(id);
    } catch {
      inFull.add(id);
      showId(button);
      say("Not copied. The id is shown in full.");
      return;
    }
    write(button.children[1], "copied");
    say(`Copied ${id}`);
    // A change may give the button another id meanwhile.
    setTimeout(() => showId(button), 2000);
  });

  const tick = 5000;
  if (!page.of || !window.EventSource) {
    setInterval(() => showTimes(document), tick);
    return;
  }

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

  // Announcements are at least this many milliseconds apart, so that a screen reader can
  // read other things. In between only the latest is kept.
  const pause = 10000;
  let announced = 0;
  let latest = "";
  let due = 0;
  function announce(text) {
    clearTimeout(due);
    const left = announced + pause - Date.now();
    if (left > 0) {
      due = setTimeout(() => announce(text), left);
    } else if (latest !== text) {
      announced = Date.now();
      latest = text;
      say(text);
    }
  }

  const rows = document.getElementById("rows");
  let title = document.title;
  function take(patch) {
    title = `${patch.title} · Greenlight`;
    for (const [id, html] of Object.entries(patch.blocks || {})) {
      const old = document.getElementById(id);
      if (old) merge(old, prepare(element(html)));
    }
    const fresh = new Map();
    for (const [id, html] of Object.entries(patch.rows || {})) {
      const made = prepare(element(html));
      const old = document.getElementById(id);
      if (old) merge(old, made);
      else fresh.set(id, made);
    }
    if (patch.order) arrange(patch.order, fresh);
    const alarms = [...document.querySelectorAll("#alerts section")].map((alarm) => alarm.getAttribute("aria-label"));
    announce([...alarms, patch.heading].join(". "));
    if (source) showLive();
  }

  // arrange puts the rows in order. An element that moves loses the focus, so that it is given
  // back.
  function arrange(order, fresh) {
    const focused = document.activeElement;
    const keep = new Set(order);
    for (const row of [...rows.children]) if (!keep.has(row.id)) row.remove();
    order.forEach((id, i) => {
      const row = fresh.get(id) || document.getElementById(id);
      if (row && rows.children[i] !== row) rows.insertBefore(row, rows.children[i] || null);
    });
    if (rows.contains(focused)) focused.focus({ preventScroll: true });
  }

  function show(is, text) {
    live.dataset.is = is;
    write(liveText, text);
  }
  // The clock beside "Live" and the relative times are of the same moment.
  function showClock(then) {
    document.getElementById("updated").dateTime = new Date(then).toISOString();
    showTimes(document);
  }

  // heard is when the server last sent something. It does so every 15 s; after a longer
  // silence the connection is lost.
  let heard = Date.now();
  const silence = 45000;
  function hear() {
    heard = Date.now();
    showLive();
  }

  // A live page is still not current while the server cannot read NATS.
  function showLive() {
    const lost = document.getElementById("lost");
    if (lost) {
      lost.remove();
      announce("Live again.");
    }
    document.title = title;
    if (document.querySelector("#alerts[data-stale]")) {
      show("broken", "Not current");
      showTimes(document);
      return;
    }
    show("live", "Live");
    showClock(Date.now());
  }

  // lose shows that no more changes arrive.
  function lose() {
    show("broken", "Not live");
    if (document.getElementById("lost")) return;
    main.prepend(element(`<section id="lost" class="alert bad" aria-labelledby="lost-title"><h2 id="lost-title">Not current since
      <time datetime="${new Date(heard).toISOString()}" data-rel="since"></time></h2><p>This page gets no changes from Greenlight. It tries again by itself.</p></section>`));
    showClock(heard);
    document.title = `Not live: ${title}`;
    clearTimeout(due);
    latest = "Not live. This page gets no changes from Greenlight.";
    say(latest);
  }

  let source = null;
  let version = page.version;
  let again = 0;
  function open() {
    clearTimeout(again);
    source = new EventSource(`/status/events?of=${encodeURIComponent(page.of)}&since=${encodeURIComponent(version)}`);
    source.onopen = hear;
    source.addEventListener("patch", (event) => {
      version = event.lastEventId;
      heard = Date.now();
      take(JSON.parse(event.data));
    });
    source.addEventListener("here", hear);
    source.addEventListener("gone", () => {
      close();
      show("broken", "No longer there");
    });
    source.onerror = () => {
      if (!source) return;
      lose();
      // The browser tries again by itself, unless the server refused.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 15000);
    };
  }
  function close() {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  }
  setInterval(() => {
    if (source?.readyState === EventSource.OPEN && Date.now() - heard > silence) {
      close();
      lose();
      again = setTimeout(open, 1000); // by then the server has seen the end of the old one
    } else if (live.dataset.is === "live") {
      showLive();
    } else {
      showTimes(document);
    }
  }, tick);
  // A hidden page closes its stream: a browser opens at most six for a host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!source) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted && !source) open(); });
  if (!document.hidden) open();
})();
