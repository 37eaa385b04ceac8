/* The HTML report's behaviour.  Everything shown comes from the JSON in #data, the same tree
 * `--format json` writes; it goes into the page as text nodes, never as markup. */
"use strict";
(function () {
const data = JSON.parse(document.getElementById("data").textContent);
const byId = new Map(data.shapes.map((s) => [s.id, s]));
const charts = [];

/* --- small helpers ------------------------------------------------------- */

function el(tag, attrs, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(attrs || {})) {
		if (k === "on")
			for (const [type, f] of Object.entries(v)) e.addEventListener(type, f);
		else if (v !== undefined && v !== null && v !== false)
			e.setAttribute(k, v === true ? "" : v);
	}
	for (const c of children.flat())
		if (c !== null && c !== undefined && c !== false) e.append(c);
	return e;
}
const num = (n) => Number(n || 0).toLocaleString("en-US");
function ms(v) {
	if (v === undefined || v === null) return "";
	if (v < 1) return (v * 1000).toFixed(0) + " \u00b5s";
	if (v < 10) return v.toFixed(2) + " ms";
	if (v < 1000) return v.toFixed(1) + " ms";
	if (v < 120000) return (v / 1000).toFixed(2) + " s";
	if (v < 7200000) return (v / 60000).toFixed(1) + " min";
	return (v / 3600000).toFixed(1) + " h";
}
function bytes(n) {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let u = 0;
	for (; n >= 10240 && u < 4; u++) n /= 1024;
	return (u ? n.toFixed(1) : n) + " " + units[u];
}
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (s, n) => s.length > n ? s.slice(0, n - 1) + "\u2026" : s;
const place = (l) => l.file + ":" + l.line;

/* --- summary ---------------------------------------------------------------- */

function tiles() {
	const all = data.shapes.reduce((s, x) => s + (x.total_ms || 0), 0);
	const tile = (what, value) => el("div", {class: "card tile"}, el("b", {}, value), el("span", {}, what));
	return el("div", {class: "tiles"},
		tile("statements", num(data.input.statements)), tile("shapes", num(data.input.shapes)),
		tile("time in statements", ms(all)), tile("findings", num(data.findings.length)),
		tile("indexes", num(data.indexes.length)),
		tile("errors", num(data.errors.reduce((s, e) => s + e.count, 0))),
		tile("of log read", bytes(data.input.bytes)),
		tile("not understood", bytes(data.input.not_understood_bytes)));
}

/* --- charts ---------------------------------------------------------------------- */

/* Minutes, put together so that at most `max` columns are drawn. */
function buckets(max) {
	const m = data.minutes.slice().sort((a, b) => a.minute - b.minute);
	if (!m.length) return {step: 1, rows: []};
	const first = m[0].minute, span = m[m.length - 1].minute - first + 1;
	const step = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 10080].find((s) => span / s <= max) || 43200;
	const rows = new Map();
	for (const x of m) {
		const at = Math.floor(x.minute / step) * step;
		const r = rows.get(at) || {minute: at, calls: 0, ms: 0, errors: 0, connections: 0, reads: 0, writes: 0, heat: []};
		for (const k of ["calls", "ms", "errors", "connections", "reads", "writes"]) r[k] += x[k];
		x.heat.forEach((n, i) => { r.heat[i] = (r.heat[i] || 0) + n; });
		rows.set(at, r);
	}
	return {step, rows: [...rows.values()]};
}
const when = (minute) => new Date(minute * 60000).toISOString().slice(5, 16).replace("T", " ");

function chart(parent, title, what, config, tall) {
	const canvas = el("canvas", {role: "img", "aria-label": title + ". " + what});
	parent.append(el("div", {class: "card"}, el("h3", {}, title), el("div", {class: "chart" + (tall ? " tall" : "")}, canvas)));
	charts.push({canvas, config, drawn: null});
}
function draw() {
	Chart.defaults.color = color("--dim");
	Chart.defaults.borderColor = color("--line");
	Chart.defaults.animation = false;
	Chart.defaults.maintainAspectRatio = false;
	for (const c of charts) {
		if (!c.canvas.isConnected) continue;
		if (c.drawn) c.drawn.destroy();
		c.drawn = new Chart(c.canvas, c.config());
	}
}
function series(rows, sets) {
	return {labels: rows.map((r) => when(r.minute)), datasets: sets.map(([label, key, c, more]) =>
		Object.assign({label, data: rows.map((r) => typeof key === "function" ? key(r) : r[key]), backgroundColor: color(c), borderColor: color(c)}, more))};
}
const heatLabel = (i) => ms(Math.pow(2, i) / 1000);

function timeCharts(parent) {
	const b = buckets(120), few = buckets(60);
	if (!b.rows.length) return;
	const per = b.step === 1 ? "minute" : b.step < 60 ? b.step + " minutes" : b.step / 60 + " h";
	chart(parent, "Statements per " + per, "Reads, writes, others and their mean time", () => ({type: "bar",
		data: series(b.rows, [["reads", "reads", "--b0"], ["writes", "writes", "--b1"],
			["others", (r) => r.calls - r.reads - r.writes, "--b2"],
			["mean ms", (r) => r.calls ? r.ms / r.calls : 0, "--b3", {type: "line", yAxisID: "y1", pointRadius: 0, borderWidth: 2}]]),
		options: {scales: {x: {stacked: true}, y: {stacked: true}, y1: {position: "right", grid: {drawOnChartArea: false}, beginAtZero: true}}}}));
	chart(parent, "Errors and connections per " + per, "Counts over time", () => ({type: "bar",
		data: series(b.rows, [["errors", "errors", "--b3"], ["connections", "connections", "--b2"]]), options: {}}));
	const total = [];
	for (const r of b.rows) r.heat.forEach((n, i) => { total[i] = (total[i] || 0) + (n || 0); });
	chart(parent, "Latency", "How many statements took how long", () => ({type: "bar",
		data: {labels: total.map((n, i) => heatLabel(i)), datasets: [{label: "statements", data: total.map((n) => n || 0), backgroundColor: color("--b0")}]},
		options: {plugins: {legend: {display: false}}}}));
	const cells = [];
	let top = 1;
	few.rows.forEach((r, x) => r.heat.forEach((n, y) => { if (n) { cells.push({x, y, n}); top = Math.max(top, n); } }));
	chart(parent, "Latency over time", "Darker: more statements of that time", () => ({type: "scatter",
		data: {datasets: [{data: cells, pointStyle: "rect", pointRadius: (c) => Math.max(2, Math.min(14, (c.chart.chartArea ? c.chart.chartArea.width : 400) / few.rows.length * .7)),
			backgroundColor: (c) => color("--b0") + Math.round(40 + 215 * Math.log(1 + (c.raw ? c.raw.n : 0)) / Math.log(1 + top)).toString(16).padStart(2, "0"), borderWidth: 0}]},
		options: {plugins: {legend: {display: false}, tooltip: {callbacks: {label: (c) => c.raw.n + " statements of " + heatLabel(c.raw.y) + " at " + when(few.rows[c.raw.x].minute)}}},
			scales: {x: {ticks: {callback: (v) => few.rows[v] ? when(few.rows[v].minute) : ""}}, y: {ticks: {stepSize: 2, callback: (v) => heatLabel(v)}}}}}));
}
function topChart(parent) {
	const top = data.shapes.filter((s) => s.total_ms).slice(0, 15);
	if (!top.length) return;
	chart(parent, "Where the time goes", "The dearest shapes by total time", () => ({type: "bar",
		data: {labels: top.map((s) => short(s.sql, 48)), datasets: [{label: "total", data: top.map((s) => s.total_ms), backgroundColor: color("--b0")}]},
		options: {indexAxis: "y", onClick: (e, hit) => { if (hit.length) show(top[hit[0].index].id); },
			plugins: {legend: {display: false}, tooltip: {callbacks: {label: (c) => ms(c.raw)}}}, scales: {x: {ticks: {callback: (v) => ms(v)}}}}}), true);
}

/* --- findings and indexes -------------------------------------------------------------- */

function finding(f) {
	return el("article", {class: "card finding " + f.severity},
		el("header", {}, el("span", {class: "badge " + f.severity}, f.severity), el("b", {}, f.rule + " " + f.name),
			el("span", {class: "dim"}, f.confidence + ", " + num(f.count) + " calls")),
		el("p", {}, f.message),
		f.shape && byId.has(f.shape) && el("p", {class: "of"}, el("button", {on: {click: () => show(f.shape)}}, el("code", {}, short(byId.get(f.shape).sql, 400)))),
		f.fix.note && el("p", {}, "Fix: " + f.fix.note), f.fix.sql && el("pre", {}, f.fix.sql),
		el("details", {}, el("summary", {}, "evidence"), el("pre", {}, JSON.stringify(f.evidence, null, 1)),
			el("p", {class: "dim"}, f.locations.map(place).join(", "), f.source ? " source " + f.source.file + ":" + f.source.line : "")));
}
function findings(parent) {
	const tools = el("div", {class: "tools"}), list = el("div", {});
	const level = el("select", {"aria-label": "severity"}, ["all", "error", "warning", "info"].map((s) => el("option", {}, s)));
	const search = el("input", {type: "search", placeholder: "search findings", "aria-label": "search findings"});
	const fill = () => {
		const q = search.value.toLowerCase();
		const hits = data.findings.filter((f) => (level.value === "all" || f.severity === level.value) &&
			(!q || (f.rule + f.name + f.message + f.shape).toLowerCase().includes(q)));
		list.replaceChildren(...hits.slice(0, 300).map(finding));
		if (!hits.length) list.append(el("p", {class: "dim"}, "none"));
		if (hits.length > 300) list.append(el("p", {class: "dim"}, "and " + (hits.length - 300) + " more"));
	};
	level.addEventListener("change", fill);
	search.addEventListener("input", fill);
	tools.append(search, level);
	parent.append(tools, list);
	fill();
}
function indexes(parent) {
	for (const x of data.indexes)
		parent.append(el("article", {class: "card finding"}, el("pre", {}, x.ddl + ";"),
			el("p", {}, el("span", {class: "badge " + x.status}, x.status), " ",
				x.cost_before !== null ? "cost " + num(Math.round(x.cost_before)) + " \u2192 " + num(Math.round(x.cost_after)) + " " : "",
				x.size_bytes !== null ? "about " + bytes(x.size_bytes) : ""),
			el("p", {class: "dim"}, x.why), el("p", {}, x.queries.map((q) => el("button", {on: {click: () => show(q)}}, q)))));
}

/* --- tables --------------------------------------------------------------------------------- */

/* columns: [title, value(row), show(row) or null, class] */
function table(columns, rows, order, descending) {
	const body = el("tbody", {}), head = el("tr", {});
	let by = order, desc = descending;
	const fill = () => {
		const value = columns[by][1];
		const sorted = rows.slice().sort((a, b) => {
			const x = value(a), y = value(b);
			const c = typeof x === "string" ? (x > y) - (x < y) : (x || 0) - (y || 0);
			return desc ? -c : c;
		});
		body.replaceChildren(...sorted.map((r) => el("tr", {}, columns.map(([, v, s, c]) => el("td", {class: c}, s ? s(r) : String(v(r)))))));
		[...head.children].forEach((th, i) => th.setAttribute("aria-sort", i === by ? (desc ? "descending" : "ascending") : "none"));
	};
	columns.forEach(([title, , , c], i) => head.append(el("th", {class: c === "sql" ? "" : c, scope: "col"},
		el("button", {on: {click: () => { desc = by === i ? !desc : (c || "").includes("num"); by = i; fill(); }}}, title))));
	fill();
	const t = el("div", {class: "scroll"}, el("table", {}, el("thead", {}, head), body));
	t.refill = (next) => { rows = next; fill(); };
	return t;
}
const timeColumns = [
	["calls", (s) => s.calls, (s) => num(s.calls), "num"],
	["total", (s) => s.total_ms || 0, (s) => ms(s.total_ms), "num"],
	["mean", (s) => s.mean_ms || 0, (s) => ms(s.mean_ms), "num"],
	["p50", (s) => s.p50_ms || 0, (s) => ms(s.p50_ms), "num wide"],
	["p95", (s) => s.p95_ms || 0, (s) => ms(s.p95_ms), "num"],
	["p99", (s) => s.p99_ms || 0, (s) => ms(s.p99_ms), "num wide"],
	["max", (s) => s.max_ms || 0, (s) => ms(s.max_ms), "num wide"]];

function shapes(parent) {
	const search = el("input", {type: "search", id: "shape-search", placeholder: "search statements", "aria-label": "search statements"});
	const verb = el("select", {"aria-label": "kind"}, ["all"].concat([...new Set(data.shapes.map((s) => s.verb))].sort()).map((v) => el("option", {}, v)));
	const hits = new Map();
	for (const f of data.findings) if (f.shape) hits.set(f.shape, (hits.get(f.shape) || 0) + 1);
	const cols = [["statement", (s) => s.sql, (s) => el("button", {on: {click: () => show(s.id)}}, el("code", {}, short(s.sql, 300))), "sql"]]
		.concat(timeColumns, [["errors", (s) => s.errors || 0, (s) => num(s.errors), "num wide"], ["findings", (s) => hits.get(s.id) || 0, (s) => num(hits.get(s.id)), "num"]]);
	const t = table(cols, data.shapes, 2, true);
	const fill = () => {
		const q = search.value.toLowerCase();
		t.refill(data.shapes.filter((s) => (verb.value === "all" || s.verb === verb.value) && (!q || s.sql.toLowerCase().includes(q) || s.id.startsWith(q))));
	};
	search.addEventListener("input", fill);
	verb.addEventListener("change", fill);
	parent.append(el("div", {class: "tools"}, search, verb), el("div", {class: "card"}, t));
}
function groups(parent) {
	for (const [kind, rows] of Object.entries(data.by))
		if (rows.length)
			parent.append(el("div", {class: "card"}, el("h3", {}, kind), table([["name", (g) => g.name, null, ""]].concat(timeColumns), rows, 2, true)));
}
function errors(parent) {
	if (data.errors.length)
		parent.append(el("div", {class: "card"}, table([["count", (e) => e.count, (e) => num(e.count), "num"], ["severity", (e) => e.severity, null, ""],
			["SQLSTATE", (e) => e.sqlstate || "", null, ""], ["message", (e) => e.message, null, ""],
			["first seen", (e) => e.locations.map(place).join(", "), null, "wide"]], data.errors, 0, true)));
	else parent.append(el("p", {class: "dim"}, "none"));
}
function server(parent) {
	const classes = Object.entries(data.input.by_class).filter(([, n]) => n > 0);
	parent.append(el("div", {class: "card"}, el("h3", {}, "server"), table([["what", (x) => x[0].replaceAll("_", " "), null, ""], ["value", (x) => x[1], (x) => num(x[1]), "num"]], Object.entries(data.server), 0, false)),
		el("div", {class: "card"}, el("h3", {}, "every byte of the input"), table([["class", (x) => x[0].replaceAll("_", " "), null, ""], ["bytes", (x) => x[1], (x) => num(x[1]), "num"]], classes, 1, true)));
}

/* --- one shape ------------------------------------------------------------------------------------ */

const dialog = el("dialog", {"aria-label": "statement"});
let detail = null;
function histogram(s) {
	const counts = [];
	for (let i = 0; i < s.hist.length; i += 2) counts[s.hist[i]] = s.hist[i + 1];
	const from = counts.findIndex((n) => n);
	const part = Array.from(counts.slice(Math.max(0, from)), (n) => n || 0);
	return {labels: part.map((n, i) => ms(Math.pow(2, (from + i) / 4) / 1000)), data: part};
}
function show(id) {
	const s = byId.get(id);
	if (!s) return;
	const own = data.findings.filter((f) => f.shape === id);
	const stats = [["calls", num(s.calls)], ["total", ms(s.total_ms)], ["mean", ms(s.mean_ms)], ["stddev", ms(s.stddev_ms)], ["min", ms(s.min_ms)],
		["p50", ms(s.p50_ms)], ["p90", ms(s.p90_ms)], ["p95", ms(s.p95_ms)], ["p99", ms(s.p99_ms)], ["p99.9", ms(s.p999_ms)], ["max", ms(s.max_ms)],
		["planning", ms(s.planning_ms)], ["rows", s.rows === undefined ? "" : num(s.rows)], ["waited", ms(s.wait_ms)], ["errors", s.errors ? num(s.errors) : ""]];
	dialog.replaceChildren(...[el("button", {class: "close", on: {click: () => dialog.close()}}, "close"), el("h2", {}, s.verb + " " + s.id), el("pre", {}, s.sql),
		el("div", {class: "tiles"}, stats.filter((x) => x[1]).map(([k, v]) => el("div", {class: "tile"}, el("b", {}, v), el("span", {}, k)))),
		s.hist.length ? el("div", {class: "chart"}, el("canvas", {role: "img", "aria-label": "latency of this statement"})) : null,
		own.length ? el("h3", {}, "Findings") : null, own.map(finding), el("h3", {}, "Slowest calls"),
		s.samples.map((x) => el("div", {}, el("p", {class: "dim"}, [ms(x.ms), x.time, [x.user, x.database].filter(Boolean).join("@"), x.application, x.locations.map(place).join(", ")].filter(Boolean).join(" \u00b7 ")),
			el("pre", {}, x.sql), x.parameters ? el("pre", {}, x.parameters) : null)),
		s.unparsed ? el("p", {class: "dim"}, "not parsed: " + s.unparsed) : null].flat().filter(Boolean));
	if (!dialog.open) dialog.showModal();
	dialog.scrollTop = 0;
	history.replaceState(null, "", "#shape=" + id);
	if (detail) detail.destroy();
	const canvas = dialog.querySelector("canvas");
	detail = null;
	if (canvas) {
		const h = histogram(s);
		detail = new Chart(canvas, {type: "bar", data: {labels: h.labels, datasets: [{label: "calls", data: h.data, backgroundColor: color("--b0")}]}, options: {plugins: {legend: {display: false}}}});
	}
}
dialog.addEventListener("close", () => history.replaceState(null, "", "#shapes"));

/* --- the page ----------------------------------------------------------------------------------------- */

function section(id, title, fill, grid) {
	const body = el("div", {class: grid || ""});
	fill(body);
	return el("section", {id}, el("h2", {}, title), body);
}
const theme = el("button", {on: {click: () => {
	const dark = document.documentElement.dataset.theme === "dark";
	document.documentElement.dataset.theme = dark ? "light" : "dark";
	draw();
}}}, "light / dark");
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const sections = [["findings", "Findings", findings], ["indexes", "Indexes", indexes], ["charts", "Over time", (p) => { timeCharts(p); topChart(p); }, "grid two"],
	["shapes", "Statements", shapes], ["by", "By user, database, application, host", groups, "grid two"], ["errors", "Errors", errors], ["server", "Server and input", server, "grid two"]]
	.filter(([id]) => id !== "indexes" || data.indexes.length);
document.body.replaceChildren(
	el("header", {}, el("h1", {}, "pgassay " + data.command), el("nav", {"aria-label": "sections"}, sections.map(([id, title]) => el("a", {href: "#" + id}, title))), theme),
	el("main", {}, el("p", {class: "dim"}, data.input.files.map((f) => f.name + (f.format ? " (" + f.format + ")" : "")).join(", "),
		data.input.first ? " \u00b7 " + data.input.first + " to " + data.input.last + " UTC" : ""), tiles(),
		data.notes.map((n) => el("p", {class: "card note"}, n)), sections.map((s) => section(...s))),
	dialog, el("footer", {}, data.tool + ". Quantiles are those of the statements themselves, within " + (data.quantile_error * 100).toFixed(1) + " %."));
draw();
const go = /^#shape=([0-9a-f]{16})$/.exec(location.hash);
if (go) show(go[1]);
document.documentElement.dataset.ready = "yes";
})();
