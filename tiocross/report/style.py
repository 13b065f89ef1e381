"""The style sheet of every page: light and dark, narrow and wide, on paper."""

CSS = """
:root{--ink:#1b1f23;--soft:#56606a;--line:#d5dade;--ground:#fff;--tint:#f3f5f7;--mark:#00588f;--card:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e7eaec;--soft:#a9b3bb;--line:#3d464e;--ground:#14181b;--tint:#1f252a;
--mark:#7fc4f7;--card:#fff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}
.kind{margin:0;color:var(--soft);font-size:.9rem}
h1{font-size:1.65rem;line-height:1.25;margin:.3rem 0 .6rem}
h2{font-size:1.2rem;margin:2.4rem 0 .5rem;padding-top:.5rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .4rem}
p,ul,ol{max-width:46rem;margin:.5rem 0}
li{margin:.25rem 0}
.answer{background:var(--tint);border-left:4px solid var(--mark);padding:.5rem 1rem;margin:1rem 0;border-radius:0 6px 6px 0}
.answer p{font-size:1.06rem;max-width:none}
.warning{border-left:4px solid #d55e00;padding:.3rem 1rem;margin:.6rem 0;background:var(--tint);border-radius:0 6px 6px 0}
.soft,caption,figcaption{color:var(--soft);font-size:.92rem}
.scroll{overflow-x:auto;margin:.8rem 0;background:linear-gradient(to right,var(--ground) 40%,transparent) left/3rem 100%
no-repeat local,linear-gradient(to left,var(--ground) 40%,transparent) right/3rem 100% no-repeat local,
linear-gradient(to right,var(--soft),transparent) left/.6rem 100% no-repeat scroll,
linear-gradient(to left,var(--soft),transparent) right/.6rem 100% no-repeat scroll}
.scroll:focus{outline:2px solid var(--mark)}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:0 0 .4rem}
caption span{display:inline-block;position:sticky;left:0;width:max-content;max-width:min(46rem,calc(100vw - 2rem))}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{text-align:left;font-weight:600}
tbody th{font-weight:500}
thead th{border-bottom:2px solid var(--soft);vertical-align:bottom}
td.number{white-space:nowrap}
th.group{padding-top:.9rem;font-weight:400;color:var(--soft);overflow-wrap:anywhere}
th.group strong{color:var(--ink)}
tr.lead{background:var(--tint)}
.interval{display:block;color:var(--soft);font-size:.85em}
figure{margin:1.4rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.5rem;overflow-x:auto}
.card img{display:block;width:100%;height:auto}
figcaption{margin-top:.4rem;max-width:46rem}
figcaption strong{color:var(--ink)}
pre{background:var(--tint);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;font-size:.88rem;
white-space:pre-wrap;overflow-wrap:anywhere}
code{font-size:.92em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.6rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--mark)}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.6rem;color:var(--soft);font-size:.88rem}
@media (max-width:600px){body{font-size:15px}h1{font-size:1.35rem}th,td{padding:.3rem .4rem}table{font-size:.86rem}
dl{grid-template-columns:1fr;gap:0}dt{margin-top:.5rem}
.card img.wide{width:38rem;max-width:none}.card img.wider{width:54rem;max-width:none}tbody th{min-width:7.5rem}
.card:has(img.wide)::before,.card:has(img.wider)::before{content:"scroll sideways to see all";display:block;position:sticky;
left:0;width:max-content;color:#555;font-size:.85rem}}
@media print{@page{size:A4;margin:16mm 14mm}:root{--ink:#000;--soft:#444;--line:#bbb;--ground:#fff;--tint:#f3f5f7;
--mark:#00588f}body{font-size:10pt}main{max-width:none;padding:0}h1{font-size:16pt}h2{font-size:12.5pt;margin-top:1.2rem}
h1,h2,h3,caption{break-after:avoid}figure,.answer,.warning,tr,dl div,pre{break-inside:avoid}.scroll,.card{overflow:visible}
.scroll{background:none}
.card{border:0;padding:0}.card img,.card img.wide,.card img.wider{width:100%;max-height:215mm;object-fit:contain}
.half .card img.wide{max-height:92mm}thead{display:table-header-group}
table{font-size:8.4pt}th,td{padding:.18rem .35rem}p,ul,ol,figcaption{max-width:none;orphans:3;widows:3}
details{display:none}caption span{max-width:180mm}
tbody:has(th.group){break-inside:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
