// Finding one's way: the section in view, a search over everything that has an address, folded parts that open for a link.
// Without scripts the contents list is complete, and folded parts open by a click.

root.classList.add("scripted");
const contents = document.querySelector(".contents");
const listing = contents.querySelector("details");
const narrow = matchMedia("(max-width: 63.99rem)");
const plainText = (element) => {
  const copy = element.cloneNode(true);
  copy.querySelectorAll(".permalink, .source, script").forEach((part) => part.remove());
  return copy.textContent.trim().replace(/\s+/g, " ");
};

// Folded parts -------------------------------------------------------------------------------------------------------
const reveal = (id) => {
  const target = id && document.getElementById(id);
  if (!target) return;
  for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  const row = target.closest("tr[hidden]");
  if (row) row.hidden = false;
  target.scrollIntoView();
};
const address = () => decodeURIComponent(location.hash.slice(1));
addEventListener("hashchange", () => reveal(address()));
if (location.hash) reveal(address());
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link) return;
  if (link.hash === location.hash) reveal(address());  // no change, so no event
  if (contents.contains(link) && narrow.matches) listing.open = false;
});
const unfolded = new Set();
addEventListener("beforeprint", () => document.querySelectorAll("details.part:not([open])").forEach((part) => {
  unfolded.add(part);
  part.open = true;
}));
addEventListener("afterprint", () => { unfolded.forEach((part) => { part.open = false; }); unfolded.clear(); });

// The section in view ------------------------------------------------------------------------------------------------
const entries = [...contents.querySelectorAll("a")].map((link) => [document.getElementById(link.hash.slice(1)), link]);
let current;
const follow = () => {
  const passed = entries.filter(([target]) => target.getBoundingClientRect().top < 120);
  const [, link] = passed.at(-1) ?? entries[0];
  if (link === current) return;
  current?.removeAttribute("aria-current");
  current = link;
  link.setAttribute("aria-current", "true");
  contents.querySelectorAll(".within").forEach((item) => item.classList.remove("within"));
  for (let item = link.closest("li"); item; item = item.parentElement.closest("li")) item.classList.add("within");
  if (!narrow.matches && contents.scrollHeight > contents.clientHeight) {
    const [box, place] = [contents.getBoundingClientRect(), link.getBoundingClientRect()];
    if (place.top < box.top || place.bottom > box.bottom) contents.scrollTop += place.top - box.top - box.height / 2;
  }
};
let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; follow(); });
}, { passive: true });
follow();

// Search -------------------------------------------------------------------------------------------------------------
const MOST = 40;
const kinds = [
  ["Section", "main h2[id], main h3[id], main section.table[id] h4", (each) => plainText(each)],
  ["Number", ".claims tbody tr[id]", (row) => [...row.cells].slice(0, 5).map(plainText).join(" · ")],
  ["Sentence", ".statements tbody tr[id]", (row) => plainText(row.cells[0])],
  ["Finding", ".findings > div[id]", (item) => [...item.children].map(plainText).join(": ")],
  ["Run", "details.run[id]", (run) => plainText(run.querySelector("summary"))],
];
const tokens = (text) => ` ${text.toLowerCase().replace(/[^\p{L}\p{N}.%#]+/gu, " ")} `;
const everything = () => kinds.flatMap(([kind, selector, words]) => [...document.querySelectorAll(selector)].map((element) => {
  const text = words(element);
  const where = element.closest("main > section[id]")?.id ?? "";
  const id = element.id || element.closest("[id]").id;
  return { kind, id, text, where, sought: tokens(`${kind} ${where} ${id} ${plainText(element)}`) };
}));
let index;
const box = make("input", { type: "search", placeholder: "Search numbers, sentences, runs", "aria-label": "Search numbers, sentences, findings, runs and sections" });
const found = make("div", { class: "found", "aria-live": "polite" });
const search = () => {
  const words = tokens(box.value).trim().split(" ").filter(Boolean);
  root.classList.toggle("searching", words.length > 0);
  found.replaceChildren();
  if (!words.length) return;
  index ??= everything();
  const whole = (item) => words.filter((word) => item.sought.includes(` ${word} `)).length;  // not only a word's beginning
  const hits = index.filter((item) => words.every((word) => item.sought.includes(` ${word}`))).sort((a, b) => whole(b) - whole(a));
  found.append(make("p", {}, hits.length ? `${hits.length} found${hits.length > MOST ? `, the first ${MOST}` : ""}` : "Nothing found"));
  for (const hit of hits.slice(0, MOST)) {
    const text = hit.text.length > 140 ? `${hit.text.slice(0, 138)}…` : hit.text;
    const label = make("b", {}, hit.where ? `${hit.kind}, ${hit.where}` : hit.kind);
    found.append(make("a", { href: `#${hit.id}` }, label, text));
  }
};
box.addEventListener("input", search);
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { box.value = ""; search(); }
  if (event.key === "Enter") found.querySelector("a")?.click();
});
found.addEventListener("click", (event) => {
  if (event.target.closest("a") && narrow.matches) { box.value = ""; search(); }
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
  event.preventDefault();
  box.focus();
});
contents.prepend(make("div", { class: "search", role: "search" }, box, found));
