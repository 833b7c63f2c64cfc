// What the page can do with scripts: themes, sorting and filtering of tables, downloads, and curves to point at.
// Without them everything is still there: tables in their order, figures as pictures.
"use strict";

const root = document.documentElement;
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const pressed = (button, on) => button.setAttribute("aria-pressed", String(on));

// Themes -------------------------------------------------------------------------------------------------------------
const themes = ["auto", "light", "dark"];
const dark = () => root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
const themeChanged = new Set();
const theme = make("button", { type: "button", class: "tool", id: "theme" }, "Theme: auto");
theme.addEventListener("click", () => {
  const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
  if (next === "auto") delete root.dataset.theme; else root.dataset.theme = next;
  theme.textContent = `Theme: ${next}`;
  themeChanged.forEach((redraw) => redraw());
});
document.querySelector(".eyebrow").append(theme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themeChanged.forEach((redraw) => redraw()));

// Downloads ----------------------------------------------------------------------------------------------------------
const download = (name, type, text) => {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const csv = (rows) => rows.map((row) => row.map((cell) => {
  const text = String(cell ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}).join(",")).join("\n") + "\n";
const valueOf = (cell) => cell.dataset.v ?? cell.textContent.trim().replace(/\s+/g, " ");
const tool = (label, action) => {
  const button = make("button", { type: "button", class: "tool" }, label);
  button.addEventListener("click", action);
  return button;
};

// Tables -------------------------------------------------------------------------------------------------------------
const numeric = (text) => (text === "" || text === "–" ? NaN : Number(text.replace(/[\u2009\u202f%]/g, "").replace("−", "-")));
const compare = (a, b) => {
  const [x, y] = [numeric(a), numeric(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return a.localeCompare(b, "en", { numeric: true });
};
const empty = (text) => text === "" || text === "–" || text === "not run";

const sortable = (table) => {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort ?? "none"];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (next === "none") return body.append(...original);
      head.setAttribute("aria-sort", next);
      const key = (row) => valueOf(row.cells[column] ?? row.cells[0]);
      const sign = next === "ascending" ? 1 : -1;
      const there = original.filter((row) => row.cells.length === heads.length && !empty(key(row)));
      there.sort((a, b) => sign * compare(key(a), key(b)));
      body.append(...there, ...original.filter((row) => !there.includes(row)));
    });
  });
};

const verdicts = ["match", "holds", "seen", "better", "worse", "contradicted", "not seen", "differs (ours higher)",
  "differs (ours lower)", "inconclusive", "undecided", "not run", "our reading", "reduced run"];
const filterable = (table) => {
  const rows = [...table.tBodies[0].rows];
  const counts = new Map();
  rows.forEach((row) => counts.set(row.dataset.verdict, (counts.get(row.dataset.verdict) ?? 0) + 1));
  if (counts.size < 2) return;
  const group = make("div", { class: "filter", role: "group", "aria-label": "Show only" });
  const inOrder = [...counts].sort(([a], [b]) => verdicts.indexOf(a) - verdicts.indexOf(b));
  const buttons = [["", rows.length], ...inOrder].map(([verdict, count]) => {
    const button = make("button", { type: "button", class: "tool" }, `${verdict || "all"} ${count}`);
    pressed(button, verdict === "");
    button.dataset.verdict = verdict;
    button.addEventListener("click", () => {
      buttons.forEach((other) => pressed(other, other === button));
      rows.forEach((row) => { row.hidden = verdict !== "" && row.dataset.verdict !== verdict; });
    });
    return button;
  });
  group.append(...buttons);
  table.closest(".scroll").before(group);
};

for (const table of document.querySelectorAll("table")) {
  if (table.classList.contains("sortable")) sortable(table);
  if (table.querySelector("tbody tr[data-verdict]")) filterable(table);
  let made = table.closest(".scroll")?.nextElementSibling;
  if (made?.matches(".notes")) made = made.nextElementSibling;
  if (!made?.dataset.name) continue;
  made.append(" ", tool("CSV", () => {
    const rows = [...table.rows].filter((row) => !row.hidden).map((row) => [...row.cells].flatMap((cell) =>
      [cell.dataset.csv ?? valueOf(cell), ...Array(cell.colSpan - 1).fill("")]));
    download(`${made.dataset.name}.csv`, "text/csv", csv(rows));
  }));
}

for (const list of document.querySelectorAll("dl.findings")) {
  const made = list.nextElementSibling;
  made.append(" ", tool("CSV", () => {
    const words = (element) => element.textContent.trim().replace(/\s+/g, " ");
    const rows = [...list.children].map((item) => [...item.children].map(words));
    download(`${made.dataset.name}.csv`, "text/csv", csv([["where", "finding"], ...rows]));
  }));
}

// Curves -------------------------------------------------------------------------------------------------------------
const expand = (line) => {
  const places = (x, y) => x ?? y.map((_, index) => index + 1);
  const rows = [];
  const add = (kind, x, y, seed) => places(x, y).forEach((place, index) => {
    if (y[index] !== null) rows.push({ line: line.name, kind, seed, x: place, y: y[index] });
  });
  if (line.log) add("authors’ log", line.log.x, line.log.y, "");
  for (const [seed, y] of Object.entries(line.seeds ?? {})) add("seed", line.x, y, seed);
  if (line.mean) add(line.seeds ? "ours, mean" : "ours", line.x, line.mean, "");
  return rows;
};

const specification = (data, state, width) => {
  const style = getComputedStyle(root);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = [...new Set(data.panels.flatMap((panel) => panel.lines.map((line) => line.name)))];
  const colors = names.map((name) => {
    const line = data.panels.flatMap((panel) => panel.lines).find((each) => each.name === name);
    return color(`series-${line.color}`);
  });
  const room = data.points ? { padding: 14 } : {};
  // A single value has no range: without one of its own, Vega labels the axis with the value rounded to a whole number.
  const range = (values, log) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (low !== high) return {};
    return { domain: log ? [low / 2, low * 2] : [low - 0.05 * (Math.abs(low) || 1), low + 0.05 * (Math.abs(low) || 1)] };
  };
  const scale = (values, log) => ({ ...(log ? { type: "log", nice: false } : { zero: false }), ...room, ...range(values, log) });
  const panel = (each, index) => {
    const rows = each.lines.filter((line) => !state.hidden.includes(line.name)).flatMap(expand);
    const ylog = state.ylog ?? each.ylog;
    const positive = (axis, log) => (log ? [{ filter: `datum.${axis} > 0` }] : []);
    const x = { field: "x", type: "quantitative", title: each.x, scale: scale(rows.map((row) => row.x), state.xlog), axis: { tickCount: 8 } };
    const y = { field: "y", type: "quantitative", title: each.y, scale: scale(rows.map((row) => row.y), ylog), axis: { tickCount: ylog ? 4 : 6 } };
    const stroke = { field: "line", type: "nominal", legend: null, scale: { domain: names, range: colors } };
    const encoding = { x, y, color: stroke, detail: { field: "seed" } };
    // Vega-Lite's own tooltips look for words in the wrong place where the nearest mark answers: its cell's datum has the mark's.
    const at = "(datum.datum || datum)";
    const told = {
      line: `${at}.line`, what: `${at}.kind + (${at}.seed === "" ? "" : " " + ${at}.seed)`,
      [each.x]: `format(${at}.x, ${at}.x >= 1e5 ? ",.9~r" : ".5~g")`, [each.y]: `format(${at}.y, ".5~g")`,
    };
    const tooltip = { value: { expr: `{${Object.entries(told).map(([key, value]) => `${JSON.stringify(key)}: ${value}`)}}` } };
    const only = (kinds) => [{ filter: { field: "kind", oneOf: kinds } }];
    const layers = data.points ? [{ mark: { type: "point", filled: true, size: 70, opacity: 1 }, encoding }] : [
      [["authors’ log"], { strokeWidth: 1, strokeDash: [5, 3] }],
      [["seed"], { strokeWidth: 0.8, opacity: 0.35 }],
      [["ours", "ours, mean"], { strokeWidth: 2.4 }],
    ].filter(([kinds]) => rows.some((row) => kinds.includes(row.kind)))
      .map(([kinds, look]) => ({ transform: only(kinds), mark: { type: "line", ...look }, encoding }));
    return {
      width, height: data.panels.length > 1 ? 190 : 260, data: { values: rows },
      transform: [...positive("x", state.xlog), ...positive("y", ylog)],
      layer: [...layers, {
        params: [{ name: `near${index}`, select: { type: "point", nearest: true, on: "pointerover", clear: "pointerout" } }],
        mark: { type: "point", filled: true, size: 45 },
        encoding: { ...encoding, tooltip, opacity: { condition: { param: `near${index}`, empty: false, value: 1 }, value: 0 } },
      }],
    };
  };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json", background: null, padding: 2,
    vconcat: data.panels.map(panel),
    config: {
      view: { stroke: null }, font: getComputedStyle(document.body).fontFamily,
      axis: {
        labelColor: color("ink"), titleColor: color("ink"), gridColor: color("grid"), domainColor: color("soft"),
        ticks: false, labelFlush: false, titleFontWeight: 500, labelFontSize: 11, titleFontSize: 12, labelPadding: 5,
      },
    },
  };
};

const liven = (figure) => {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const drawing = figure.querySelector(".drawing");
  const canvas = make("div", { class: "canvas" });
  const live = make("div", { class: "live" }, canvas);
  const state = { xlog: data.xlog, ylog: undefined, hidden: [] };
  let drawn;
  let beside = 62;  // what labels take beside the panels
  const width = () => Math.max(180, live.clientWidth - beside);
  const drawNow = async () => {
    const result = await vegaEmbed(canvas, specification(data, state, width()),
      { actions: false, renderer: "canvas", logLevel: 1, tooltip: { theme: dark() ? "dark" : "light" } });
    drawn?.finalize();
    drawn = result;
    const over = canvas.querySelector("canvas").offsetWidth - live.clientWidth;
    if (over > 0 && width() > 180) { beside += over; return drawNow(); }
    canvas.querySelector("[role]")?.setAttribute("aria-label", drawing.getAttribute("aria-label"));
    figure.dataset.drawn = "yes";
  };
  let last = Promise.resolve();
  const draw = () => (last = last.then(drawNow));  // one after the other
  const legend = make("div", { class: "legend", role: "group", "aria-label": "Lines" });
  const lines = new Map(data.panels.flatMap((panel) => panel.lines.map((line) => [line.name, line])));
  for (const line of lines.values()) {
    const button = make("button", { type: "button" }, make("i", { style: `--line: var(--series-${line.color})`, class: line.mean ? "" : "dashed" }), line.name);
    pressed(button, true);
    button.addEventListener("click", () => {
      const shown = state.hidden.includes(line.name);
      state.hidden = shown ? state.hidden.filter((name) => name !== line.name) : [...state.hidden, line.name];
      pressed(button, shown);
      figure.dataset.hidden = state.hidden.join("|");
      draw();  // anew: a line that comes back must not lie above those that it lay below
    });
    legend.append(button);
  }
  const axis = (name, label) => {
    const now = () => state[name] ?? data.panels.some((panel) => panel.ylog);
    const button = tool(label, () => { state[name] = !now(); pressed(button, now()); draw(); });
    pressed(button, now());
    return button;
  };
  legend.append(make("span", { class: "axes" }, axis("xlog", `log ${data.panels[0].x === "epoch" ? "epochs" : "axis"}`),
    axis("ylog", "log values")));
  live.append(legend);
  drawing.after(live);
  drawing.classList.add("replaced");
  const kinds = data.panels.flatMap((panel) => panel.lines).map((line) => [line.mean, line.seeds, line.log]);
  const words = [kinds.some((kind) => kind[0]) && "bold: ours", kinds.some((kind) => kind[1]) && "faint: single seeds",
    kinds.some((kind) => kind[2]) && `dashed: ${data.dashed || "authors’ log"}`].filter(Boolean);
  if (!data.points) live.append(make("p", { class: "kinds" }, words.join(" · ")));
  themeChanged.add(draw);
  let before = width();
  new ResizeObserver(() => { if (Math.abs(width() - before) > 8) { before = width(); draw(); } }).observe(live);
  return draw();
};

const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
  seen.unobserve(entry.target);
  liven(entry.target);
}), { rootMargin: "600px" });

for (const figure of document.querySelectorAll("figure.drawn")) {
  const source = figure.querySelector(".source p");
  const name = figure.id;
  const svg = figure.querySelector(".drawing svg");
  if (svg && source) source.append(" ", tool("SVG", () => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const style = getComputedStyle(root);
    const plain = copy.outerHTML.replace(/var\((--[a-z0-9-]+)\)/g, (_, variable) => style.getPropertyValue(variable).trim());
    download(`${name}.svg`, "image/svg+xml", plain);
  }));
  const data = figure.querySelector("script");
  if (!data) continue;
  if (source) source.append(" ", tool("CSV", () => {
    const rows = JSON.parse(data.textContent).panels.flatMap((panel) => panel.lines.flatMap(expand)
      .map((row) => [panel.y, row.line, row.kind, row.seed, row.x, row.y]));
    download(`${name}.csv`, "text/csv", csv([["quantity", "line", "kind", "seed", "x", "y"], ...rows]));
  }));
  if (globalThis.vegaEmbed && data.textContent.includes('"name"')) seen.observe(figure);  // else there is nothing to draw
}
