"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };

  byId("without-script").hidden = true;

  // Light and dark: the system's choice, or the reader's.
  const root = document.documentElement;
  const button = byId("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try { return localStorage.getItem("oodbench-theme"); } catch { return null; }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const nameTheme = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  const kept = remembered();
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("oodbench-theme", root.dataset.theme); } catch { /* not kept */ }
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  button.setAttribute("aria-label", "Switch between light and dark");
  button.hidden = false;
  nameTheme();

  // Sorting: the best value first, then the worst, then the order in which the page came.
  const valueOf = (row, place, isText) => {
    const cell = row.cells[place];
    const said = cell.dataset.v ?? cell.textContent.trim();
    if (isText) return said;
    const number = cell.dataset.v === undefined && said === "" ? NaN : Number.parseFloat(said);
    return Number.isNaN(number) ? null : number;
  };
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const sortBy = (table, place, direction, isText) => {
    const body = table.tBodies[0];
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => ({
      row, value: valueOf(row, place, isText), order: Number(row.dataset.order),
    }));
    rows.sort((a, b) => {
      if (direction === "none") return a.order - b.order;
      if (a.value === null || b.value === null) {
        return (a.value === null) - (b.value === null) || a.order - b.order;
      }
      const found = isText ? collator.compare(a.value, b.value) : a.value - b.value;
      return sign * found || a.order - b.order;
    });
    body.append(...rows.map((one) => one.row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tBodies[0].rows].forEach((row, number) => { row.dataset.order = number; });
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      const isText = head.dataset.kind === "text";
      const first = isText || head.dataset.lower !== undefined ? "ascending" : "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      const next = { none: first, [first]: second, [second]: "none" };
      const press = make("button");
      press.type = "button";
      press.append(...head.childNodes);
      head.append(press);
      press.addEventListener("click", () => {
        const direction = next[head.getAttribute("aria-sort")];
        for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", direction);
        sortBy(table, place, direction, isText);
      });
    });
  }

  // Filters of the wide table: rows by name, cells by status.
  const filters = byId("filters");
  if (filters) {
    const rows = [...byId("results").tBodies[0].rows];
    const boxes = [...filters.querySelectorAll("[name=status]")];
    const apply = () => {
      const wanted = byId("filter-text").value.trim().toLowerCase();
      const hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
      let shown = 0;
      for (const row of rows) {
        const cells = [...row.cells].slice(1);
        for (const cell of cells) {
          const off = hidden.has(cell.dataset.s);
          cell.classList.toggle("off", off);
          if (off) cell.setAttribute("aria-hidden", "true");
          else cell.removeAttribute("aria-hidden");
        }
        const has = cells.some((cell) => cell.dataset.s !== "none" && !hidden.has(cell.dataset.s));
        row.hidden = !(has && row.cells[0].textContent.toLowerCase().includes(wanted));
        shown += !row.hidden;
      }
      byId("filter-count").textContent = `${shown} of ${rows.length} rows`;
    };
    filters.addEventListener("input", apply);
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.hidden = false;
    apply();
  }

  // What a pointer or the keyboard finds at a number; its source describes the link anyway.
  const tip = byId("tip");
  const hide = () => { tip.hidden = true; };
  const show = (link) => {
    const source = byId(link.getAttribute("aria-describedby"));
    if (!source) return;
    tip.replaceChildren(...[...source.children].map((child) => child.cloneNode(true)));
    tip.hidden = false;
    const at = link.getBoundingClientRect();
    const left = Math.min(at.right - tip.offsetWidth, window.innerWidth - tip.offsetWidth - 8);
    const below = at.bottom + 6;
    const fits = below + tip.offsetHeight < window.innerHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${fits ? below : Math.max(8, at.top - tip.offsetHeight - 6)}px`;
  };
  const described = (event) => event.target.closest?.("a[aria-describedby]");
  document.addEventListener("mouseover", (event) => {
    const link = described(event);
    if (link) show(link);
    else if (!event.target.closest?.("#tip")) hide();
  });
  document.addEventListener("focusin", (event) => {
    const link = described(event);
    if (link) show(link); else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // The card of a run.
  const card = byId("card");
  const { kinds, texts, cards } = JSON.parse(byId("cards").textContent);
  const copying = (pre) => {
    const copy = make("button", "Copy", "quiet");
    copy.type = "button";
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
        copy.textContent = "Copied";
      } catch {
        window.getSelection().selectAllChildren(pre);
        copy.textContent = "Selected";
      }
    });
    return copy;
  };
  const blockOf = ([kind, heading, numbers]) => {
    const said = numbers.map((number) => texts[number]);
    const block = make("section");
    const head = make("div", undefined, "head");
    head.append(make("h3", texts[heading]));
    block.append(head);
    if (kinds[kind] === "pairs") {
      const list = make("dl");
      for (let at = 0; at < said.length; at += 2) {
        list.append(make("dt", said[at]), make("dd", said[at + 1]));
      }
      block.append(list);
    } else if (kinds[kind] === "lines") {
      const list = make("ul");
      list.append(...said.map((text) => make("li", text)));
      block.append(list);
    } else {
      const pre = make("pre");
      pre.tabIndex = 0;
      pre.append(make("code", said.join("")));
      head.append(copying(pre));
      block.append(pre);
    }
    return block;
  };
  const open = () => {
    const found = /^#run-(\d+)$/.exec(location.hash);
    const content = found && cards[Number(found[1])];
    if (!content) {
      if (card.open) card.close();
      return;
    }
    const [title, ...blocks] = content;
    hide();
    byId("card-title").textContent = texts[title];
    byId("card-body").replaceChildren(...blocks.map(blockOf));
    byId("card-body").scrollTop = 0;
    if (!card.open) card.showModal();
    byId("card-close").focus();
  };
  const away = () => {
    try { history.replaceState(null, "", location.pathname + location.search); } catch { location.hash = ""; }
  };
  window.addEventListener("hashchange", open);
  card.addEventListener("close", () => { if (location.hash.startsWith("#run-")) away(); });
  byId("card-close").addEventListener("click", () => card.close());
  card.addEventListener("click", (event) => { if (event.target === card) card.close(); });
  open();
})();
