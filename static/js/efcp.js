// What the pages do beyond htmx. Each works without it: this only makes it pleasant.
"use strict";

(() => {
  const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];

  /** The age of a moment, in the largest fitting unit: "3 min". */
  function age(milliseconds) {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    for (const [unit, size] of UNITS) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
    }
    return `${seconds} s`;
  }

  /** Let ages grow: <time datetime="…Z" data-show="age">. Other times stay as the panel wrote them. */
  function growAges(root) {
    const now = Date.now();
    for (const element of root.querySelectorAll('time[datetime][data-show="age"]')) {
      const moment = new Date(element.dateTime);
      if (!Number.isNaN(moment.getTime())) element.textContent = age(now - moment.getTime());
    }
  }

  /** Mark the fields that a part fetched by itself finds wrong, and no longer those that it finds right. */
  function markInvalid(root) {
    for (const part of [root, ...root.querySelectorAll("[data-checks]")]) {
      for (const id of part.dataset.checks?.split(" ").filter(Boolean) ?? []) {
        const field = document.getElementById(id);
        if (!field) continue;
        if (part.querySelector(`[data-invalid="${CSS.escape(id)}"]`)) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
      }
    }
  }

  /** Tell the panel which time zone this browser is in: with the sign-in, or when it is another than before. */
  function sendTimeZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone) return;
    const field = document.querySelector("input[data-time-zone]");
    if (field) field.value = zone;
    const { timeZone, timeZoneUrl } = document.body.dataset;
    if (timeZoneUrl === undefined || timeZone === zone) return;
    const headers = JSON.parse(document.body.getAttribute("hx-headers"));
    const body = new URLSearchParams({ time_zone: zone });
    fetch(timeZoneUrl, { method: "POST", headers, body, keepalive: true }).catch(() => {}); // the next page tries again
  }

  /** One box that selects all boxes of its name, and a count of what is selected. */
  function followChoices(event) {
    const all = event.target.closest("[data-choose-all]");
    for (const box of all ? document.querySelectorAll(`input[name="${all.dataset.chooseAll}"]`) : []) {
      box.checked = all.checked;
    }
    for (const counter of document.querySelectorAll("[data-counts-choices]")) {
      const chosen = document.querySelectorAll(`input[name="${counter.dataset.countsChoices}"]:checked`);
      counter.textContent = `${chosen.length} selected`;
    }
  }

  /** Count the characters of a field as its column does: an emoji is one. */
  function countCharacters(event) {
    const counter = document.querySelector(`[data-counts="${CSS.escape(event.target.id)}"]`);
    if (!counter) return;
    const characters = Array.from(event.target.value).length;
    counter.textContent = `${characters} of ${counter.dataset.width}`;
    counter.classList.toggle("is-over", characters > Number(counter.dataset.width));
  }

  function closeMenus(event) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (event.key === "Escape" || !menu.contains(event.target)) {
        menu.open = false;
        if (event.key === "Escape") menu.querySelector("summary").focus();
      }
    }
  }

  /** Whether somebody is at work inside `element`, so that it must not be replaced under his hands. */
  function isInUse(element) {
    return (
      element.contains(document.activeElement) ||
      element.querySelector("input:checked, details[open]") !== null
    );
  }

  /** Put a column's or segment's words under its chart, where it has a line for them. */
  function readOut(event) {
    const hit = event.target.closest?.(".chart-hit");
    const line = hit?.closest("[data-chart]")?.querySelector("[data-readout]");
    if (!line) return;
    line.hidden = false;
    line.textContent = hit.getAttribute("aria-label");
  }

  /** A chart is one stop of the Tab key; arrows go from column to column. */
  function walkChart(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const hit = event.target.closest?.(".chart-hit");
    if (!step || !hit) return;
    const hits = [...hit.parentElement.querySelectorAll(":scope > .chart-hit")];
    const next = hits[Math.min(hits.length - 1, Math.max(0, hits.indexOf(hit) + step))];
    event.preventDefault();
    hit.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }

  let turn = 0;

  /** Let the parts of the page that are marked for it fetch themselves anew; what costs little, each turn. */
  function refresh(all) {
    if (document.hidden) return;
    turn += 1;
    for (const element of document.querySelectorAll("[data-refresh]")) {
      const always = element.dataset.refresh === "always";
      const isDue = always || ((all || turn % 2 === 0) && !isInUse(element));
      if (isDue) element.dispatchEvent(new CustomEvent("efcp:refresh"));
    }
  }

  let answeredAt = Date.now();

  /** Say so when the panel no longer answers: what a part with data-stale-after shows is then old. */
  function tellStale() {
    const element = document.querySelector("[data-stale-after]");
    if (!element) return;
    const stale = Date.now() - answeredAt > 1000 * element.dataset.staleAfter;
    element.querySelector("[data-stale-since]").dateTime = new Date(answeredAt).toISOString();
    element.querySelector("[data-stale-notice]").hidden = !stale;
  }

  document.addEventListener("DOMContentLoaded", () => {
    growAges(document);
    sendTimeZone();
  });
  document.addEventListener("htmx:load", (event) => {
    growAges(event.detail.elt);
    if (event.detail.elt !== document.body) markInvalid(event.detail.elt);
  });
  document.addEventListener("change", followChoices);
  document.addEventListener("input", countCharacters);
  document.addEventListener("click", closeMenus);
  document.addEventListener("focusin", readOut);
  document.addEventListener("mouseover", readOut);
  document.addEventListener("keydown", walkChart);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeMenus(event);
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing) {
      const search = document.querySelector('input[type="search"]');
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr.status;
    if (status >= 200 && status < 400) answeredAt = Date.now();
  });
  document.addEventListener("visibilitychange", () => refresh(true));
  setInterval(() => refresh(false), 1000);
  setInterval(() => {
    if (document.hidden) return;
    tellStale();
    growAges(document);
  }, 1000);
})();
