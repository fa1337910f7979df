// What the pages of the atlas do: sort, filter, choose a size or a sentence, and say in what two families differ.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, text, parent, attributes = {}) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (parent) parent.append(element);
  return element;
};

// Tables: a button in each head sorts by its column; numbers by what they are, the rest by what is written.
function sortable(table) {
  const heads = all("thead th", table);
  heads.forEach((head, column) => {
    const button = make("button", head.textContent, null, { type: "button" });
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        const number = cell.dataset.sort;
        return number === undefined ? cell.textContent.trim() : Number(number);
      };
      const order = (a, b) =>
        typeof a === "number" && typeof b === "number" ? a - b
          : typeof a === "number" ? -1 : typeof b === "number" ? 1 : a.localeCompare(b, "en", { numeric: true });
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * order(key(a), key(b)));
      body.append(...rows);
    });
  });
}

// The matrix: columns whose word holds a text.
function filter(input) {
  const table = document.getElementById(input.dataset.filter);
  const heads = all("thead th", table);
  const show = () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    heads.forEach((head, column) => {
      const word = head.dataset.word;
      if (!word) return;
      const hidden = !word.includes(wanted);
      shown += hidden ? 0 : 1;
      head.hidden = hidden;
      for (const row of table.tBodies[0].rows) row.cells[column].hidden = hidden;
    });
    document.getElementById("filter-count").textContent = `${shown} words`;
  };
  input.addEventListener("input", show);
  show();
}

// A family's drawings: the numbers of one size.
function chooseSize(select) {
  const show = () => {
    for (const figure of all("figure", document.getElementById(select.dataset.sizeOf))) {
      const at = figure.dataset.for.split("¦").indexOf(select.value);
      figure.hidden = at < 0;
      if (at >= 0) for (const text of all("[data-sizes]", figure)) text.textContent = text.dataset.sizes.split("¦")[at];
    }
  };
  select.addEventListener("change", show);
  show();
}

function chooseOne(select) {
  select.addEventListener("change", () => {
    for (const list of all(`.${select.dataset.chooses}`)) {
      [...list.children].forEach((choice, at) => { choice.hidden = at !== Number(select.value); });
    }
  });
}

function ownOnly(box) {
  const lines = document.getElementById(box.dataset.own);
  box.addEventListener("change", () => {
    for (const section of all("section", lines)) {
      let own = 0;
      for (const row of all("tbody tr", section)) {
        row.hidden = box.checked && !row.classList.contains("own");
        own += row.classList.contains("own") ? 1 : 0;
      }
      section.hidden = box.checked && own === 0;
    }
  });
}

// data.js says each text once: in its place stands which one it is.
function told(value) {
  if (typeof value === "number") return ATLAS.texts[value];
  if (Array.isArray(value)) return value.map(told);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [ATLAS.texts[key.slice(1)], told(it)]));
}

// What a word means, with its code in `…`.
function explained(text, parent) {
  const out = make("p", undefined, parent);
  text.split("`").forEach((part, at) => out.append(at % 2 === 1 ? make("code", part) : part));
}

// Two families side by side: the same parts as `camelid diff`.
const PARTS = [
  ["mathematics", "what the declarations say, whatever the size"],
  ["tensors", "how the checkpoint's tensors are called and lie"],
  ["reading", "what keys of config.json are called, and are worth where they are absent"],
  ["sizes", "where both declarations say the same, and config.json makes the difference"],
  ["tokenizer", "how text becomes ids"],
  ["chat", "how a conversation becomes text"],
];
const SUMS = ["parameters", "cache of a token", "states"];

function valuesOf(family, size) {
  const sizes = family.sizes;
  const own = sizes.find(([name]) => name === size)[1];
  const values = { ...sizes[0][1], ...own };
  for (const [word, value] of Object.entries(values)) if (value === null) delete values[word];
  return values;
}

function differences(a, b) {
  const [va, vb] = [valuesOf(a.family, a.size), valuesOf(b.family, b.size)];
  const parts = Object.fromEntries(PARTS.map(([name]) => [name, []]));
  const none = (value) => value ?? "none";
  for (const [word, [fallback, meaning]] of Object.entries(ATLAS.words)) {
    const formula = (family) => family.formulas[word] ?? fallback;
    const [fa, fb] = [formula(a.family), formula(b.family)];
    const say = (formula, value) =>
      formula.startsWith("= ") ? (value === undefined ? formula : `${formula}\nhere ${value}`) : none(value ?? formula);
    if (fa !== fb) parts.mathematics.push([word, say(fa, va[word]), say(fb, vb[word]), meaning]);
    else if (va[word] !== vb[word]) parts.sizes.push([word, none(va[word]), none(vb[word]), meaning]);
  }
  const sums = SUMS.filter((word) => va[word] !== vb[word]).map((word) => [word, va[word], vb[word], ""]);
  parts.sizes.unshift(...sums);
  const tensors = new Set([...Object.keys(va), ...Object.keys(vb)].filter((word) => word.startsWith("tensors.")));
  for (const word of tensors) {
    if (va[word] !== vb[word]) parts.tensors.push([word.slice(9, -1), none(va[word]), none(vb[word]), ""]);
  }
  const table = (name, from) => {
    const [ta, tb] = [a.family[from], b.family[from]];
    for (const key of [...new Set([...Object.keys(ta), ...Object.keys(tb)])].sort()) {
      if (ta[key] !== tb[key]) parts[name].push([key, none(ta[key]), none(tb[key]), ""]);
    }
  };
  const biases = new Set([...Object.keys(a.family.bias), ...Object.keys(b.family.bias)]);
  for (const role of biases) {
    const [ba, bb] = [a.family.bias[role] ?? "false", b.family.bias[role] ?? "false"];
    if (ba !== bb) parts.tensors.push([role, ba, bb, ""]);
  }
  table("reading", "reading");
  table("tokenizer", "tokenizer");
  table("chat", "chat");
  if (va["a question"] !== vb["a question"]) parts.chat.push(["a question", none(va["a question"]), none(vb["a question"]), ""]);
  return parts;
}

function compare() {
  const side = (name) => {
    const [family, size] = [document.getElementById(name), document.getElementById(`${name}-size`)];
    return { select: family, sizes: size, get family() { return ATLAS.families[family.value]; }, get size() { return size.value; }, get name() { return `${family.value}:${size.value}`; } };
  };
  for (const [name, family] of Object.entries(ATLAS.families)) ATLAS.families[name] = told(family);
  const sides = [side("a"), side("b")];
  const fill = ({ sizes, family }) => sizes.replaceChildren(...family.sizes.map(([name]) => make("option", name)));
  const show = () => {
    const [a, b] = sides;
    const parts = differences(a, b);
    const out = document.getElementById("differences");
    out.replaceChildren();
    let count = 0;
    const differing = new Set();
    for (const [name, about] of PARTS) {
      const lines = parts[name];
      if (lines.length === 0) continue;
      const section = make("section", undefined, out, { "data-part": name });
      make("h2", `${name}: ${lines.length}`, section);
      make("p", about, section);
      for (const [word, left, right, meaning] of lines) {
        count += 1;
        if (name !== "reading") word.replace("bias of ", "").split(" | ").forEach((role) => differing.add(role));
        const box = make("div", undefined, section, { class: "difference", "data-word": word });
        make("h3", word, box);
        const list = make("dl", undefined, box);
        make("dt", a.name, list); make("dd", left, list);
        make("dt", b.name, list); make("dd", right, list);
        if (meaning) explained(meaning, box);
      }
    }
    document.getElementById("sum").textContent = count === 0 ? "They do not differ." : `${a.family.title} and ${b.family.title} differ in ${count} lines.`;
    layers(sides, differing);
    history.replaceState(null, "", `#${a.select.value}:${a.size}/${b.select.value}:${b.size}`);
  };
  const layers = (sides, differing) => {
    const out = document.getElementById("layers");
    out.replaceChildren();
    for (const side of sides) {
      const column = make("div", undefined, out);
      make("h3", side.name, column);
      for (const [sizes, places, drawn] of side.family.drawings) {
        const at = sizes.indexOf(side.size);
        if (at < 0) continue;
        const figure = make("figure", undefined, column, { class: "layer-figure" });
        make("figcaption", `Layers ${places[at]}`, figure);
        figure.insertAdjacentHTML("beforeend", drawn.join("").replace(/~(\d+)~/g, (_, box) => ATLAS.boxes[box]));
        for (const text of all("[data-sizes]", figure)) text.textContent = text.dataset.sizes.split("¦")[at];
        for (const box of all("[data-words]", figure)) {
          const words = box.dataset.words.split(" ");
          if ([...differing].some((word) => words.includes(word) || words.includes(word.split(".")[0]))) {
            box.classList.add("differs");
            const title = box.querySelector("text");
            title.textContent = `◆ ${title.textContent}`;
          }
        }
      }
    }
  };
  // #A[:SIZE]/B[:SIZE]
  const wanted = decodeURIComponent(location.hash.slice(1)).split("/");
  sides.forEach((side, at) => {
    const [name, size] = (wanted[at] ?? "").split(":");
    const names = Object.keys(ATLAS.families);
    side.select.value = name in ATLAS.families ? name : names[at];
    fill(side);
    if (side.family.sizes.some(([known]) => known === size)) side.sizes.value = size;
    side.select.addEventListener("change", () => { fill(side); show(); });
    side.sizes.addEventListener("change", show);
  });
  show();
}

all("table.sortable").forEach(sortable);
all("[data-filter]").forEach(filter);
all("[data-size-of]").forEach(chooseSize);
all("[data-chooses]").forEach(chooseOne);
all("[data-own]").forEach(ownOnly);
if (document.getElementById("choose")) compare();
