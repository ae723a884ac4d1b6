"use strict";
// Remembers the language, and searches the index on the search page. Everything else works without this file.
(function () {
  const KEY = "spean-dictionary-language";
  const choices = document.querySelectorAll('input[name="language"]');

  function remembered() {
    try { return localStorage.getItem(KEY); } catch { return null; }
  }

  function remember(value) {
    try { localStorage.setItem(KEY, value); } catch { /* a browser that keeps nothing still shows everything */ }
  }

  for (const choice of choices) {
    if (choice.value === remembered()) choice.checked = true;
    choice.addEventListener("change", () => remember(choice.value));
  }

  const results = document.getElementById("results");
  if (!results || !window.speanIndex) return;

  const KINDS = [["កំណត់ត្រា", "record"], ["វាល", "field"], ["បញ្ជីកូដ", "code list"], ["កូដ", "code"]];
  const MOST = 100;
  const box = document.getElementById("q");
  const count = document.getElementById("count");

  // As contracts/khmer.py, as far as a search needs it: what cannot be seen goes, subscript DA and TA are one.
  function folded(text) {
    return text.normalize("NFKC").toLowerCase()
      .replace(/[\u00ad\u17b4\u17b5\u200b-\u200f\u2060\ufeff]/g, "")
      .replace(/\u17d2\u178a/g, "\u17d2\u178f");
  }

  const index = window.speanIndex.map((row) => ({ row, text: folded(row.slice(2).join("\n")), name: folded(row[2]) }));

  function score(entry, words) {
    const [kind, , , english, khmer] = entry.row;
    const titles = [folded(english), folded(khmer), entry.name, entry.name.split("/").pop()];
    const whole = words.join(" ");
    if (titles.includes(whole)) return kind;
    return (titles.some((title) => title.startsWith(words[0])) ? 10 : 20) + kind;
  }

  function found(query) {
    const words = folded(query).split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const hits = index.filter((entry) => words.every((word) => entry.text.includes(word)));
    return hits.map((entry) => [score(entry, words), entry.row]).sort((a, b) => a[0] - b[0]).map((hit) => hit[1]);
  }

  function part(name, className, text, lang) {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    if (lang) element.lang = lang;
    return element;
  }

  function line(row) {
    const [kind, page, name, english, khmer, whole] = row;
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = page;
    link.append(part("span", "km", khmer, "km"), part("span", "en", english, "en"));
    const about = part("span", "name", name + " ");
    about.append(part("small", "", whole));
    const label = part("span", "kind inline", "");
    label.append(part("span", "km", KINDS[kind][0], "km"), part("span", "en", KINDS[kind][1], "en"));
    item.append(label, link, about);
    return item;
  }

  function show(query) {
    const hits = found(query);
    results.replaceChildren(...hits.slice(0, MOST).map(line));
    const more = hits.length > MOST ? ` (${MOST})` : "";
    count.textContent = query.trim() ? `រកឃើញ ${hits.length} · ${hits.length} found${more}` : "";
  }

  function asked() {
    const from = (text) => new URLSearchParams(text).get("q");
    return from(location.search) || from(location.hash.slice(1)) || "";
  }

  box.value = asked();
  box.addEventListener("input", () => show(box.value));
  box.form.addEventListener("submit", (event) => { event.preventDefault(); show(box.value); });
  addEventListener("hashchange", () => { box.value = asked(); show(box.value); });
  show(box.value);
  box.focus();
})();
