// Keys: Ctrl-K opens a palette that finds pages and things, ? the page's help, arrows move in menus; and copy
// buttons. Without this script "Search" is a link to a page, the help a button, and text is selected by hand.
"use strict";

(() => {
  const WAIT_MS = 120;
  const isTyping = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);

  function made(tag, attributes = {}, text = "") {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  }

  /** The palette: a combobox in a dialog (ARIA's pattern with aria-activedescendant), built when first opened. */
  class Palette {
    constructor(address) {
      this.address = address;
      this.hits = [];
      this.at = -1;
      this.dialog = made("dialog", { class: "palette", "aria-label": "Search" });
      this.input = made("input", {
        type: "text",
        role: "combobox",
        "aria-label": "Page, set, destination, dialplan or proxy",
        "aria-expanded": "false",
        "aria-controls": "palette-hits",
        "aria-autocomplete": "list",
        autocomplete: "off",
        spellcheck: "false",
        maxlength: "100",
        placeholder: "Page, set, destination, dialplan or proxy",
      });
      this.list = made("ul", { id: "palette-hits", role: "listbox", "aria-label": "Results" });
      this.status = made("p", { role: "status", class: "palette-status" });
      this.dialog.append(this.input, this.list, this.status);
      document.body.append(this.dialog);
      this.input.addEventListener("input", () => this.askSoon());
      this.input.addEventListener("keydown", (event) => this.move(event));
      this.list.addEventListener("click", (event) => this.go(event.target.closest("li")));
      this.dialog.addEventListener("click", (event) => {
        if (event.target === this.dialog) this.dialog.close();
      });
    }

    open() {
      if (this.dialog.open) return;
      this.dialog.showModal();
      this.input.select();
      this.ask();
    }

    askSoon() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), WAIT_MS);
    }

    async ask() {
      this.pending?.abort();
      this.pending = new AbortController();
      const question = `${this.address}?${new URLSearchParams({ q: this.input.value })}`;
      try {
        const headers = { Accept: "application/json" };
        const answer = await fetch(question, { headers, signal: this.pending.signal });
        if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
        this.show((await answer.json()).hits);
      } catch (error) {
        if (error.name === "AbortError") return;
        this.show([]);
        this.status.textContent = "Search failed. Reload the page and try again.";
      }
    }

    show(hits) {
      this.hits = hits;
      this.list.replaceChildren(...hits.map((hit, index) => this.row(hit, index)));
      this.input.setAttribute("aria-expanded", String(hits.length > 0));
      this.status.textContent = hits.length ? `${hits.length} result${hits.length === 1 ? "" : "s"}` : "No results";
      this.choose(hits.length ? 0 : -1);
    }

    row(hit, index) {
      const row = made("li", { role: "option", id: `palette-hit-${index}`, "aria-selected": "false" });
      row.dataset.url = hit.url;
      row.append(made("span", { class: "hit-kind" }, hit.kind), made("bdi", { class: "hit-label" }, hit.label));
      if (hit.detail) row.append(made("bdi", { class: "muted" }, hit.detail));
      return row;
    }

    choose(index) {
      this.list.children[this.at]?.setAttribute("aria-selected", "false");
      this.at = index;
      const row = this.list.children[index];
      if (!row) {
        this.input.removeAttribute("aria-activedescendant");
        return;
      }
      row.setAttribute("aria-selected", "true");
      this.input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    }

    move(event) {
      const count = this.hits.length;
      if (event.key === "Enter") this.go(this.list.children[this.at]);
      else if (event.key === "ArrowDown" && count) this.choose((this.at + 1) % count);
      else if (event.key === "ArrowUp" && count) this.choose((this.at - 1 + count) % count);
      else return;
      event.preventDefault();
    }

    go(row) {
      if (!row) return;
      this.dialog.close();
      location.assign(row.dataset.url);
    }
  }

  let palette = null;

  function openPalette() {
    const address = document.querySelector("[data-palette]")?.dataset.palette;
    if (!address) return false;
    palette ??= new Palette(address);
    palette.open();
    return true;
  }

  /** Arrow keys in an open menu, and from its summary into it. */
  function moveInMenu(event) {
    const menu = event.target.closest("details.menu");
    if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    if (!menu.open && event.target.matches("summary") && event.key === "ArrowDown") menu.open = true;
    if (!menu.open) return;
    const items = [...menu.querySelectorAll(".menu-items :is(a[href], button)")];
    if (!items.length) return;
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
    items.at(next % items.length).focus();
    event.preventDefault();
  }

  /** Copy text; where the browser lends no clipboard (plain HTTP), by way of a selection. */
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = made("textarea", { "aria-hidden": "true", class: "visually-hidden" });
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  function copyButton(text, label) {
    const button = made("button", { type: "button", class: "copy-button", "aria-label": label }, "Copy");
    button.addEventListener("click", async () => {
      await copy(text());
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    return button;
  }

  /** A copy button beside what is marked with data-copy, and in each block of code or written script. */
  function offerCopies(root) {
    for (const element of root.querySelectorAll("[data-copy]:not([data-copies])")) {
      element.dataset.copies = "";
      element.after(copyButton(() => element.textContent.trim(), `Copy ${element.textContent.trim()}`));
    }
    for (const block of root.querySelectorAll("pre:not(.marked, [data-copies])")) {
      block.dataset.copies = "";
      const frame = made("div", { class: "copy-block" });
      block.replaceWith(frame);
      frame.append(block, copyButton(() => block.textContent, "Copy these lines"));
    }
    for (const list of root.querySelectorAll("ol.script:not(.script-checked, [data-copies])")) {
      list.dataset.copies = "";
      const lines = () => [...list.querySelectorAll("li > code")].map((each) => each.textContent).join("\n");
      list.closest("section").querySelector("header").append(copyButton(() => `${lines()}\n`, "Copy the script"));
    }
  }

  /** The menu of a destination's row gets "Copy URI" when it opens. */
  function offerUri(event) {
    const items = event.target.matches?.("td.actions details.menu[open]") && event.target.querySelector(".menu-items");
    const uri = items && event.target.closest("tr").querySelector("td.destination > .mono")?.textContent.trim();
    if (!uri || items.querySelector("[data-uri]")) return;
    const button = made("button", { type: "button", "data-uri": "" }, "Copy URI");
    button.addEventListener("click", async () => {
      await copy(uri);
      button.textContent = "Copied";
    });
    items.append(button);
  }

  document.addEventListener("DOMContentLoaded", () => offerCopies(document));
  document.addEventListener("htmx:load", (event) => offerCopies(event.detail.elt));
  document.addEventListener("toggle", offerUri, true);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-palette]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && openPalette()) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      if (openPalette()) event.preventDefault();
    } else if (event.key === "?" && !isTyping() && !event.ctrlKey && !event.metaKey) {
      const help = document.getElementById("page-help");
      if (help && !help.matches(":popover-open")) {
        help.showPopover();
        help.querySelector("button").focus();
        event.preventDefault();
      }
    } else moveInMenu(event);
  });
})();
