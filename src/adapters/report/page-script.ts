/**
 * The script of the report page. It filters, sorts, pages and prints the figures of the JSON in `#data`, and
 * copies exact figures to the clipboard. Only one page of figures is in the document at a time, so the report
 * stays fast with 50,000 of them.
 */
export const pageScript = `
"use strict";
const { verdicts, kinds, causes, symbols, rows, withBooks } = JSON.parse(
  document.getElementById("data").textContent,
);
const [perPage, printMax] = [200, 5000];
const form = document.getElementById("filters");
const body = document.querySelector("#figures tbody");
const heads = [...document.querySelectorAll("#figures thead th")];
const [VERDICT, KIND, BOOK, SYMBOL, DAY, FIELD, LEGACY, MODERN, DIFFERENCE, TOLERANCE, CAUSE, DETAIL] =
  Array(12).keys();
let shown = rows;
let page = 0;
let sorted = { column: "", down: false };

const exact = (figure) => (Array.isArray(figure) ? figure[0] : figure);
const size = (figure) => {
  const text = exact(figure);
  if (text === null) return NaN;
  const [top, bottom = "1"] = text.split("/");
  return Number(top) / Number(bottom);
};
const keys = {
  symbol: (row) => symbols[row[SYMBOL]][1] ?? symbols[row[SYMBOL]][0],
  book: (row) => row[BOOK],
  verdict: (row) => row[VERDICT],
  kind: (row) => row[KIND],
  day: (row) => row[DAY],
  field: (row) => row[FIELD],
  legacy: (row) => size(row[LEGACY]),
  modern: (row) => size(row[MODERN]),
  difference: (row) => size(row[DIFFERENCE]),
  tolerance: (row) => size(row[TOLERANCE]),
  cause: (row) => causes[row[CAUSE]] ?? "",
};

let texts;
const textOf = (row) => {
  const [symbol, title] = symbols[row[SYMBOL]];
  return [symbol, title, row[BOOK], row[DAY], row[FIELD], kinds[row[KIND]], causes[row[CAUSE]], row[DETAIL]]
    .join(" ")
    .toLowerCase();
};

function choose() {
  const chosen = new FormData(form);
  const only = (name) => (chosen.get(name) ? Number(chosen.get(name)) : undefined);
  const [kind, cause, book] = [only("kind"), only("cause"), chosen.get("book") || undefined];
  const wanted = new Set(chosen.getAll("verdict").map(Number));
  const words = String(chosen.get("search")).toLowerCase().split(/\\s+/).filter(Boolean);
  if (words.length > 0) texts ??= new Map(rows.map((row) => [row, textOf(row)]));
  shown = rows.filter(
    (row) =>
      wanted.has(row[VERDICT]) &&
      (kind === undefined || row[KIND] === kind) &&
      (cause === undefined || row[CAUSE] === cause) &&
      (book === undefined || row[BOOK] === book) &&
      words.every((word) => texts.get(row).includes(word)),
  );
  const key = keys[sorted.column];
  if (key) {
    const sign = sorted.down ? -1 : 1;
    const keyed = shown.map((row) => [key(row), row]);
    const isNone = (value) => Number(Number.isNaN(value));
    // Values that are not numbers come last in both directions.
    keyed.sort(([a], [b]) => isNone(a) - isNone(b) || (a < b ? -sign : a > b ? sign : 0));
    shown = keyed.map(([, row]) => row);
  }
  page = 0;
  draw();
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function number(figure) {
  const cell = element("td", "number");
  if (figure === null) cell.textContent = "–";
  else {
    const data = element("data", "", Array.isArray(figure) ? figure[1] : figure);
    data.value = exact(figure);
    cell.append(data);
  }
  return cell;
}

function draw(printing = false) {
  const [from, until] = printing ? [0, printMax] : [page * perPage, (page + 1) * perPage];
  body.replaceChildren(
    ...shown.slice(from, until).map((row) => {
      const [symbol, title, currency] = symbols[row[SYMBOL]];
      const [verdict, sign, name] = verdicts[row[VERDICT]];
      const line = element("tr", verdict);
      const head = element("th", "", title ?? symbol);
      head.scope = "row";
      if (title !== null) head.append(element("code", "", symbol));
      const cause = element("td", "wide", causes[row[CAUSE]]);
      if (row[DETAIL]) cause.append(element("p", "soft", row[DETAIL]));
      const field = element("td", "nowrap", row[FIELD]);
      if (currency !== null && /^(realized|unrealized|total)$/.test(row[FIELD]))
        field.append(" ", element("small", "", currency));
      line.append(head);
      if (withBooks) line.append(element("td", "", row[BOOK]));
      line.append(
        element("td", "mark", sign + " " + name),
        element("td", "", kinds[row[KIND]]),
        element("td", "nowrap", row[DAY]),
        field,
      );
      for (const at of [LEGACY, MODERN, DIFFERENCE, TOLERANCE]) line.append(number(row[at]));
      line.append(cause);
      return line;
    }),
  );
  const pages = Math.max(1, Math.ceil(shown.length / perPage));
  const count = (value) => value.toLocaleString("en-US");
  const cut = shown.length > printMax ? "; the first " + count(printMax) + " are printed" : "";
  const place = pages > 1 ? ", page " + (page + 1) + " of " + pages : "";
  document.getElementById("shown").textContent =
    count(shown.length) +
    " of " +
    count(rows.length) +
    " figures" +
    (printing ? ": " + chosenWords() + cut : place);
  for (const name of ["previous", "next"]) document.getElementById(name).hidden = pages === 1;
  document.getElementById("previous").disabled = page === 0;
  document.getElementById("next").disabled = page + 1 >= pages;
  for (const head of heads) {
    if (head.dataset.column === sorted.column)
      head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

/** The chosen filters as text, so that a printed page states what it leaves out. */
function chosenWords() {
  const boxes = [...form.elements.verdict].filter((box) => box.checked).map((box) => verdicts[box.value][2]);
  const picked = [...form.querySelectorAll("select")]
    .filter((list) => list.value)
    .map((list) => list.selectedOptions[0].text);
  return [boxes.join(", "), ...picked, form.elements.search.value].filter(Boolean).join("; ");
}

function turn(by) {
  page += by;
  draw();
  body.closest(".scroll").scrollTop = 0;
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", choose);
form.addEventListener("reset", () => {
  sorted = { column: "", down: false };
  setTimeout(choose);
});
document.getElementById("previous").addEventListener("click", () => turn(-1));
document.getElementById("next").addEventListener("click", () => turn(1));
for (const head of heads)
  head.querySelector("button").addEventListener("click", () => {
    const { column } = head.dataset;
    const numeric = head.classList.contains("number");
    sorted = { column, down: sorted.column === column ? !sorted.down : numeric };
    choose();
  });
for (const button of document.querySelectorAll("button[data-cause]"))
  button.addEventListener("click", () => {
    form.reset();
    for (const box of form.elements.verdict) box.checked = true;
    form.elements.cause.value = button.dataset.cause;
    document.getElementById("figures").scrollIntoView();
    setTimeout(choose);
  });

// A printed page holds every chosen figure, not only those of one page.
addEventListener("beforeprint", () => draw(true));
addEventListener("afterprint", () => draw());

// Copies the exact figures, with tabs between cells and line breaks between rows, as spreadsheets expect.
addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || event.target.closest?.("input")) return;
  const part = document.createElement("div");
  for (let index = 0; index < selection.rangeCount; index++) {
    const range = selection.getRangeAt(index);
    const around = range.commonAncestorContainer;
    const within = (around.closest ? around : around.parentElement)?.closest("data");
    if (within && range.toString() === within.textContent) part.append(within.cloneNode(true));
    else part.append(range.cloneContents());
  }
  if (!part.querySelector("data")) return;
  for (const data of part.querySelectorAll("data")) data.textContent = data.value;
  const textIn = (cell) =>
    [...cell.childNodes]
      .map((node) => node.textContent.trim())
      .filter(Boolean)
      .join(" ");
  const lines = part.querySelector("tr") ? [...part.querySelectorAll("tr")] : [part];
  const copied = lines.map((line) => {
    const cells = [...line.querySelectorAll("th, td")];
    return cells.length > 0 ? cells.map(textIn).join("\\t") : line.textContent;
  });
  event.clipboardData.setData("text/plain", copied.join("\\n"));
  event.preventDefault();
});

form.hidden = false;
for (const screen of document.querySelectorAll(".screen")) screen.hidden = false;
choose();
`;
