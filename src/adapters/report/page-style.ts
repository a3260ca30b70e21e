/**
 * The style sheet of the report page: light, dark, narrow and print. Chromium omits buttons from a table head
 * that it repeats on each sheet, so print uses plain text instead of them.
 */
export const pageStyle = `
:root { color-scheme: light dark; --text: light-dark(#1b1f24, #e6e8eb); --soft: light-dark(#57606a, #a5adb8);
  --page: light-dark(#fff, #14171b); --line: light-dark(#d4d9df, #343a42);
 --head: light-dark(#f1f3f5, #1f242a);
  --good: light-dark(#116329, #6fd08c); --bad: light-dark(#b3151f, #ff8f8a);
  --warn: light-dark(#7a4b00, #f0b849); }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1.5rem 3rem; max-width: 96rem; font: 15px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--page); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 1.75rem 0 .5rem; } h3 { font-size: .95rem; margin: .75rem 0 0; }
p { margin: .25rem 0; }
small, .soft { color: var(--soft); font-size: .85rem; font-weight: normal; }
code { font: .92em ui-monospace, monospace; }
.equal, .within_tolerance { --mark: var(--good); } .diverged, .error { --mark: var(--bad); }
.not_comparable { --mark: var(--warn); }
.mark { color: var(--mark); font-weight: 600; white-space: nowrap; }
.warning { color: var(--warn); font-weight: 600; }
.counts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0; }
.facts dt { font-weight: 600; } .facts dd, h1 { overflow-wrap: anywhere; }
.counts dd { margin: 0; display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
.scroll { overflow: auto; border: 1px solid var(--line); border-radius: 4px; }
.fit { width: fit-content; max-width: 100%; } .days { max-height: 22rem; } #figures { max-height: 80vh; }
.causes th:first-child { width: 25%; } .causes :is(th, td):last-child { width: 36%; }
.top { display: flex; flex-wrap: wrap; gap: 0 3rem; } .top > * { min-width: min(100%, 26rem); }
.top > :last-child { flex: 1; }
:focus-visible { outline: 2px solid var(--text); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
caption { text-align: left; padding: .3rem .5rem; color: var(--soft); }
.totals { font-size: .95rem; }
th, td { padding: .25rem .5rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--head); white-space: nowrap;
  vertical-align: bottom; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.nowrap { white-space: nowrap; }
tbody th { font-weight: 600; } tr.sum > * { font-weight: 700; border-bottom: 2px solid var(--line); }
#figures tbody th { position: sticky; left: 0; background: var(--page); min-width: 13.75rem; }
#figures thead th:first-child { left: 0; z-index: 2; }
th code, td code { display: block; font-size: .78rem; font-weight: normal; color: var(--soft);
  overflow-wrap: anywhere; }
.files code, td .inline { display: inline; } td .inline { font-size: .92em; color: inherit; }
.wide { overflow-wrap: anywhere; min-width: 8rem; } #figures th, #figures td { padding: .2rem .4rem; }
.wide p { margin: .15rem 0; }
.paper { display: none; } thead button { all: unset; cursor: pointer; }
thead button:focus-visible { outline: 2px solid; } thead .number button { text-align: right; }
[aria-sort=ascending] button::after { content: " ▲" / ""; }
[aria-sort=descending] button::after { content: " ▼" / ""; }
form { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: end; margin: .5rem 0; }
form label { display: inline-flex; flex-direction: column; font-size: .85rem; }
fieldset { border: 0; padding: 0; margin: 0; display: flex; gap: .25rem 1rem; flex-wrap: wrap;
  flex-basis: 100%; }
legend { padding: 0; font-size: .85rem; float: left; margin-right: 1rem; }
fieldset label { flex-direction: row; gap: .35rem; align-items: center; }
input, select, .button { font: inherit; color: inherit; background: var(--page);
  border: 1px solid var(--soft); border-radius: 4px; padding: .2rem .5rem; max-width: 100%; }
input[type=search] { width: 20rem; } .button { cursor: pointer; }
.button:disabled { opacity: .5; cursor: default; }
.pager { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: .5rem 0; }
[hidden] { display: none !important; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
dl.legend { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dl.legend dt { font-weight: 600; } dl.legend dd { margin: 0; }
@media (max-width: 50rem) {
  body { padding: 1rem .75rem 2rem; } #figures tbody th { min-width: 8.5rem; max-width: 8.5rem; }
  .facts { display: block; } .facts dd { margin-bottom: .4rem; }
  input[type=search] { width: 100%; } form label:has([type=search]) { flex-basis: 100%; }
  .totals { font-size: .74rem; } .totals small { font-size: .9em; } th, td { padding: .25rem .3rem; }
}
@media print {
  @page { size: A4 landscape; margin: 12mm 10mm 14mm;
    @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt system-ui, sans-serif; } }
  :root { color-scheme: light; } body { padding: 0; max-width: none; font-size: 9pt; }
  table, .totals { font-size: 7.5pt; } th code, td code { font-size: 6.5pt; }
  small, .soft, caption { font-size: 7.5pt; }
  .scroll, .days, #figures { max-height: none; overflow: visible; border: 0; }
  thead { display: table-header-group; } thead, tr, .keep { break-inside: avoid; }
  h2 { break-after: avoid; margin-top: 1.2rem; }
  thead th, #figures tbody th { position: static; background: none; }
  thead th { border-bottom: 1px solid; white-space: normal; }
  form, .pager .button, .screen, thead button { display: none !important; } .paper { display: inline; }
  #figures tbody th { min-width: 50mm; } th, td { padding: .12rem .3rem; } .wide { min-width: 0; }
  .files code { white-space: nowrap; }
}
`;
