"""The look of a page about runs: light and dark, narrow and wide, on screen and on paper."""

CSS = """
:root { --fore: #1c1e21; --soft: #5b6168; --line: #d5d9de; --back: #ffffff; --card: #f5f6f8;
  --mark: #b0005a; color-scheme: light; }
@media screen and (prefers-color-scheme: dark) {
  :root { --fore: #e6e6e6; --soft: #a3a9b1; --line: #363a41; --back: #15171a; --card: #1e2126;
    --mark: #ff7ab8; color-scheme: dark; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 84rem; background: var(--back);
  color: var(--fore); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; padding-top: .6rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
p { margin: .3rem 0; }
.soft { color: var(--soft); font-size: .9rem; }
.verdict { margin: .8rem 0; padding: .6rem .9rem; background: var(--card);
  border-left: .3rem solid var(--mark); }
.side { display: grid; gap: 1.6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.side > * { min-width: 0; }
.one { grid-template-columns: minmax(0, 1fr); }
img { display: block; max-width: 100%; height: auto; margin: .4rem 0; }
.wide { overflow-x: auto; }
.broad img { min-width: 38rem; }
.settings { columns: 17rem; }
.settings details { break-inside: avoid; margin-bottom: .6rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr);
  gap: .15rem .9rem; margin: 0; font-size: .95rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0; padding: .6rem .8rem; background: var(--card); font-size: .85rem;
  overflow-x: auto; }
pre.fold { white-space: pre-wrap; overflow-wrap: anywhere; }
code { overflow-wrap: anywhere; font-size: .85em; }
summary { cursor: pointer; }
@media (max-width: 30rem) {
  dl { grid-template-columns: minmax(0, 1fr); } dd { margin-bottom: .4rem; }
  .settings dl { grid-template-columns: 9rem minmax(0, 1fr); } }
@media print {
  body { max-width: none; padding: 0; font-size: 11px; } h2 { break-after: avoid; }
  .broad img { min-width: 0; } img, tr, dt { break-inside: avoid; } pre { white-space: pre-wrap; } }
"""
