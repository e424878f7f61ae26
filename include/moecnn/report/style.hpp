#pragma once
/// \file
/// The page's style sheet. Every colour is a variable with a light and a dark value; charts inside the page use the same
/// variables, so they follow the reader's setting too. The ten expert colours were chosen by search: any two about 0.08
/// or more apart in OKLab for normal, protanopic and deuteranopic sight (the first four 0.09), all at least 2.9:1
/// against the ground. Experts also always carry their number.

#include <string_view>

namespace moecnn::report {

inline constexpr std::string_view colours = R"css(
:root{color-scheme:light dark;
--bg:#fdfdfc;--raise:#f6f6f4;--fg:#1b1d21;--soft:#43474f;--muted:#666c76;--line:#e4e4e0;--grid:#ececea;--axis:#b9bcc1;
--warn:#8a4b08;--warn-bg:#fdf3e1;--warn-line:#e0a44a;--bar:#dfe3ea;--hover:rgba(30,40,60,.07);
--ca:#1b1d21;--cb:#8a909b;--cc:#b9bcc1;
--c0:#2a4fae;--c1:#c48d30;--c2:#31735f;--c3:#621757;--c4:#5a9bd1;--c5:#5b2a06;--c6:#7d62dd;--c7:#c87293;--c8:#3b6200;--c9:#857505;
--h0:#f0f4f7;--h1:#d5e1ef;--h2:#bbcee5;--h3:#a3badb;--h4:#8da7cf;--h5:#7994c2;--h6:#6880b2;--h7:#586ea1;--h8:#4a5c8e;--h9:#3d4a79;--h10:#313a63;--h11:#252b4d;
--heat-low:#1b1d21;--heat-high:#fff}
@media (prefers-color-scheme:dark){:root{
--bg:#15171b;--raise:#1d2025;--fg:#eceef1;--soft:#c6cad1;--muted:#989fab;--line:#2d3138;--grid:#262a30;--axis:#555b65;
--warn:#f3c078;--warn-bg:#2b2318;--warn-line:#8d6426;--bar:#30353e;--hover:rgba(220,230,255,.09);
--ca:#eceef1;--cb:#828995;--cc:#555b65;
--c0:#7198fc;--c1:#deaf26;--c2:#13a49a;--c3:#a05cb2;--c4:#7ed9fc;--c5:#93674a;--c6:#616be4;--c7:#f2b0ae;--c8:#68a030;--c9:#e4e272;
--h0:#212328;--h1:#2e323f;--h2:#3a4257;--h3:#46546f;--h4:#526688;--h5:#5e799f;--h6:#6b8db6;--h7:#7aa2cb;--h8:#8ab7de;--h9:#9dccf0;--h10:#b5e0fe;--h11:#def2ff;
--heat-low:#eceef1;--heat-high:#15171b}}
)css";

/// Steps of the sequential scale --h0 … --h11, from "nothing" to "all".
inline constexpr int heat_steps = 12;

inline constexpr std::string_view rules = R"css(
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif}
.page{max-width:1120px;margin:0 auto;padding:56px 32px 96px}
header h1{font-size:34px;line-height:1.2;letter-spacing:-.015em;font-weight:650;margin:0 0 10px;text-wrap:balance}
header p{margin:0;color:var(--soft);max-width:72ch}
header .when{color:var(--muted);font-size:14px;margin-bottom:14px}
nav{margin:26px 0 0;padding:12px 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line);font-size:14.5px}
nav a{color:var(--soft);text-decoration:none;margin-right:24px;white-space:nowrap;display:inline-block}
nav a:hover,nav a:focus{color:var(--fg);text-decoration:underline;text-underline-offset:4px}
section{margin-top:60px}
h2{font-size:24px;line-height:1.25;letter-spacing:-.01em;font-weight:640;margin:0 0 8px}
h3{font-size:18px;line-height:1.3;font-weight:630;margin:44px 0 6px}
p{margin:0 0 14px;max-width:76ch}
h2+.two h3{margin-top:18px}
section>p{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(max(158px,calc(100%/var(--n) - 2px)),1fr));border:1px solid var(--line);border-radius:10px;overflow:hidden;margin:30px 0 0}
.tiles+p{margin-top:22px}
.tile{padding:16px 18px 14px;min-width:0;margin:0 -1px -1px 0;border-right:1px solid var(--line);border-bottom:1px solid var(--line)}
.tile dt{font-size:13.5px;color:var(--muted)}
.tile dd{margin:2px 0 0;font-size:27px;line-height:1.25;font-weight:620;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.tile .more{font-size:13px;color:var(--muted);font-weight:400;letter-spacing:0;display:block;line-height:1.45;margin-top:2px}
.box{border-left:3px solid var(--axis);background:var(--raise);padding:12px 18px;margin:18px 0;border-radius:0 8px 8px 0;font-size:15px}
.box p{margin:0}.box p+p{margin-top:6px}
.box.warning{border-color:var(--warn-line);background:var(--warn-bg);color:var(--warn)}
.figures{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:40px 44px;margin:26px 0 0}
.figures.three{grid-template-columns:repeat(3,minmax(0,1fr));gap:40px 36px}.figures+.figures{margin-top:44px}.figures>.wide{grid-column:1/-1}
figure{margin:0;min-width:0}
figcaption{margin:0 0 12px;font-size:14px;line-height:1.5;color:var(--muted);max-width:76ch}
figcaption b{display:block;color:var(--fg);font-size:15.5px;font-weight:620}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13.5px;color:var(--soft);margin:0 0 8px;padding:0;list-style:none}
.name{white-space:nowrap}.chip{display:inline-block;width:.72em;height:.72em;border-radius:2px;background:var(--k,var(--ca));opacity:var(--o,1);margin-right:.5em}
svg{display:block;overflow:visible}
svg.chart{width:100%;height:auto}
svg text{font-size:12px;fill:var(--muted);font-variant-numeric:tabular-nums}
svg .lab{fill:var(--fg)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}
svg .grid{stroke:var(--grid);stroke-width:1}svg .axis{stroke:var(--axis);stroke-width:1}
svg .ref{stroke:var(--muted);stroke-width:1;stroke-dasharray:3 3}svg .lead{stroke:var(--axis);stroke-width:.75;fill:none}
svg .ln{fill:none;stroke:var(--k);stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}
svg .thin{stroke-width:1;opacity:.45}svg .dash,svg .ln.v1{stroke-dasharray:5 4}svg .ln.v2{stroke-dasharray:1.5 4}
svg .fl{fill:var(--k);fill-opacity:var(--o,1)}svg .pale{fill-opacity:.42}svg .band{stroke:var(--bg);stroke-width:1}
svg .hit{fill:transparent}svg .hit:hover{fill:var(--hover)}
svg .ground{fill:var(--bg)}svg .none{fill:none;stroke:var(--grid)}svg .small{font-size:11px}
svg .val{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}svg .ref.pale{opacity:.6}
svg .low{fill:var(--heat-low)}svg .high{fill:var(--heat-high)}
svg.spark{display:inline-block;vertical-align:middle}
.c0{--k:var(--c0)}.c1{--k:var(--c1)}.c2{--k:var(--c2)}.c3{--k:var(--c3)}.c4{--k:var(--c4)}.c5{--k:var(--c5)}.c6{--k:var(--c6)}.c7{--k:var(--c7)}.c8{--k:var(--c8)}.c9{--k:var(--c9)}
.ca{--k:var(--ca)}.cb{--k:var(--cb)}.cc{--k:var(--cc)}.v1{--o:.62}.v2{--o:.36}
.h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}.h4{fill:var(--h4)}.h5{fill:var(--h5)}.h6{fill:var(--h6)}.h7{fill:var(--h7)}.h8{fill:var(--h8)}.h9{fill:var(--h9)}.h10{fill:var(--h10)}.h11{fill:var(--h11)}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(var(--w),100%),1fr));gap:14px 20px}.panel{overflow-x:auto;min-width:0}
.scroll{overflow-x:auto;margin:14px 0 0}
table{border-collapse:collapse;font-size:14.5px;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:7px 14px 7px 0;text-align:left;vertical-align:middle;border-bottom:1px solid var(--line)}
th{font-weight:500;color:var(--muted);font-size:13.5px}
thead th{vertical-align:bottom;border-bottom-color:var(--axis);line-height:1.35}
td.n,th.n{text-align:right;white-space:nowrap}
tbody tr:hover{background:var(--raise)}
td.bar{min-width:120px;white-space:nowrap}td.words{min-width:15em}
.track{display:inline-block;vertical-align:middle;width:72px;height:8px;border-radius:2px;background:var(--bar);margin-right:10px;overflow:hidden}
.track i{display:block;height:100%;background:var(--k,var(--cb));opacity:var(--o,1)}
table.pairs th{width:13em;font-weight:400;font-size:14.5px}
table.pairs td{overflow-wrap:anywhere}
.two{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:8px 44px}
pre{background:var(--raise);border:1px solid var(--line);border-radius:8px;padding:14px 18px;overflow-x:auto;font:13.5px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;user-select:all;white-space:pre}
.expert{border-top:3px solid var(--k);padding-top:10px;margin-top:30px}
.expert h4{margin:0;font-size:16px;font-weight:620}
.expert h4 span{font-weight:400;font-size:14px;color:var(--muted);margin-left:14px}
.expert p{margin:4px 0 0;font-size:14px;color:var(--muted)}
.classes{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:18px 24px;margin-top:10px}
.class{min-width:0;font-size:14px}
.class div{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:0 8px}
.class div span:first-child{overflow-wrap:break-word;line-height:1.35}
.class div span:last-child{color:var(--muted);font-variant-numeric:tabular-nums;white-space:nowrap}
.class .track{width:100%;height:4px;margin:4px 0 8px;display:block}
.class img{display:block;max-width:100%;height:auto}
.scene{margin-top:30px}.scene h4{margin:0;font-size:15px;font-weight:600;overflow-wrap:anywhere}
.scene h4 span{font-weight:400;font-size:14px;color:var(--muted);margin-left:14px}
.scene .class p{margin:6px 0 0;font-size:13.5px;color:var(--muted)}.scene .class img{width:100%;border-radius:3px}
.swatch .chip{box-shadow:0 0 0 1px var(--axis)}
.maps{display:flex;flex-wrap:wrap;gap:18px 22px;font-size:13.5px;color:var(--soft)}.maps svg{margin-top:5px}
.zoom{display:block;cursor:zoom-in}.zoom input{position:absolute;opacity:0}.zoom img{display:block;width:100%;height:auto;border-radius:3px}
.zoom input:focus-visible+img{outline:2px solid var(--ca)}
.zoom input:checked+img{position:fixed;inset:0;z-index:9;height:100%;object-fit:contain;background:var(--bg);cursor:zoom-out}
details{margin-top:26px}summary{cursor:pointer;color:var(--soft);font-size:14.5px}
.few,.class.few,.class.few div span{color:var(--muted);font-style:italic}.class.few .track,.class.few img{opacity:.6}
.dead{color:var(--warn);font-weight:600}
footer{margin-top:72px;padding-top:16px;border-top:1px solid var(--line);font-size:13.5px;color:var(--muted)}
@media (max-width:720px){.page{padding:32px 16px 64px}header h1{font-size:27px}section{margin-top:48px}
.figures,.figures.three,.two{grid-template-columns:minmax(0,1fr)}.figures{gap:36px}.tiles{grid-template-columns:repeat(2,1fr)}
.tile dd{font-size:23px}svg.chart{max-width:580px}.three svg.chart{max-width:400px}svg.chart text{font-size:13.5px}svg.chart text.small{font-size:12.5px}.three svg.chart text{font-size:12px}.classes{grid-template-columns:repeat(2,minmax(0,1fr))}table.pairs th{width:40%}nav a{padding:3px 0}
.stack,.stack tbody{display:block}.stack thead{display:none}
.stack tr{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:8px 20px;padding:14px 0;border-bottom:1px solid var(--line)}
.stack td{padding:0;border:0;min-width:0;text-align:left;overflow-wrap:anywhere}.stack td:first-child,.stack td.words{grid-column:1/-1}
.stack td::before{content:attr(data-name);display:block;font-size:12.5px;color:var(--muted)}.stack td:first-child::before{content:none}}
@media print{.page{max-width:none;padding:0}figure,.expert,tr{break-inside:avoid}nav,details{display:none}}
)css";

}  // namespace moecnn::report
