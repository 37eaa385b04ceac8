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
	for (; n >= 1024 && u < 4; u++) n /= 1024;
	return (u ? n.toFixed(1) : n) + " " + units[u];
}
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (s, n) => s.length > n ? s.slice(0, n - 1) + "\u2026" : s;
const place = (l) => l.file.split("/").pop() + ":" + l.line;
const share = (part, whole) => (whole > 0 ? 100 * part / whole : 0).toFixed(1) + "\u00a0%";
const svgNS = "http://www.w3.org/2000/svg";
function svg(tag, attrs, ...children) {
	const e = document.createElementNS(svgNS, tag);
	for (const [k, v] of Object.entries(attrs || {})) e.setAttribute(k, v);
	e.append(...children.flat().filter((c) => c !== null && c !== undefined));
	return e;
}
const totalMs = data.shapes.reduce((s, x) => s + (x.total_ms || 0), 0);

/* --- summary ---------------------------------------------------------------- */

function tiles() {
	const tile = (what, value) => el("div", {class: "card tile"}, el("b", {}, value), el("span", {}, what));
	const said = data.command !== "plan" || data.input.statements; // a plan may come without its statement
	return el("div", {class: "tiles"},
		said ? tile("statements", num(data.input.statements)) : null, said ? tile("shapes", num(data.input.shapes)) : null,
		said ? tile("time in statements", ms(totalMs)) : null, tile("findings", num(data.findings_total)),
		data.indexes.length ? tile("indexes", num(data.indexes.length)) : null,
		data.command === "plan" ? tile("plans", num(data.plans.length)) : null,
		data.command === "plan" ? null : tile("errors", num(data.errors.reduce((s, e) => s + e.count, 0))),
		data.transactions.count ? tile("idle in transaction", ms(data.transactions.idle.total_ms)) : null,
		data.server.lock_waits ? tile("waiting for locks", ms(data.server.lock_wait_s * 1000)) : null,
		data.server.deadlocks ? tile("deadlocks", num(data.server.deadlocks)) : null,
		data.server.temp_bytes ? tile("temporary files", bytes(data.server.temp_bytes)) : null,
		data.input.bytes ? tile("of log read", bytes(data.input.bytes)) : null,
		data.input.bytes ? tile("not understood", bytes(data.input.not_understood_bytes)) : null);
}

/* --- charts ---------------------------------------------------------------------- */

/* The series in columns: seconds of a short log, else minutes, put together so that at most `max`
 * are drawn.  `at` and `step` are seconds. */
const summed = ["calls", "ms", "errors", "connections", "disconnections", "reads", "writes", "cancels", "temp_files", "temp_bytes", "lock_ms", "checkpoints"];
const series_rows = (data.seconds && data.seconds.length > 1 ? data.seconds.map((x) => Object.assign({at: x.second}, x))
	: data.minutes.filter((x) => x.minute).map((x) => Object.assign({at: x.minute * 60}, x))).sort((a, b) => a.at - b.at);
const finest = data.seconds && data.seconds.length > 1 ? 1 : 60 * data.minute_step;
function buckets(max) {
	const m = series_rows;
	if (!m.length) return {step: 60, rows: []};
	const span = m[m.length - 1].at - m[0].at + 1;
	const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800].find((s) => span / s <= max && s >= finest) || 2592000;
	const rows = [];
	let open = 0;
	for (let at = Math.floor(m[0].at / step) * step, i = 0; at <= m[m.length - 1].at; at += step) {
		const r = {at, heat: []};
		for (const k of summed) r[k] = 0;
		for (; i < m.length && m[i].at < at + step; i++) {
			for (const k of summed) r[k] += m[i][k] || 0;
			m[i].heat.forEach((n, k) => { r.heat[k] = (r.heat[k] || 0) + n; });
		}
		open += r.connections - r.disconnections;
		r.open = open;
		rows.push(r);
	}
	const before = Math.min(0, ...rows.map((r) => r.open));  /* sessions that were open when the log began */
	for (const r of rows) r.open -= before;
	return {step, rows};
}
const iso = (at) => new Date(at * 1000).toISOString();
/* As much of a time as tells the columns of this step apart: days, minutes, seconds. */
const sameDay = series_rows.length && iso(series_rows[0].at).slice(0, 10) === iso(series_rows[series_rows.length - 1].at).slice(0, 10);
const when = (at, step) => step >= 86400 ? iso(at).slice(0, 10) : (sameDay ? "" : iso(at).slice(5, 10) + " ") + iso(at).slice(11, step < 60 ? 19 : 16);
const perStep = (s) => s === 1 ? "second" : s < 60 ? s + " seconds" : s === 60 ? "minute" : s < 3600 ? s / 60 + " minutes" : s === 3600 ? "hour" : s < 86400 ? s / 3600 + " hours" : s === 86400 ? "day" : s / 86400 + " days";

function chart(parent, title, what, config, tall) {
	const canvas = el("canvas", {role: "img", "aria-label": title + ". " + what});
	parent.append(el("div", {class: "card" + (tall ? " whole" : "")}, el("h3", {}, title), el("div", {class: "chart" + (tall ? " tall" : "")}, canvas)));
	charts.push({canvas, config, drawn: null});
}
function draw() {
	Chart.defaults.color = color("--dim");
	Chart.defaults.borderColor = color("--line");
	Chart.defaults.animation = false;
	Chart.defaults.maintainAspectRatio = false;
	Chart.defaults.scale.ticks.maxRotation = 0;
	Chart.defaults.scale.ticks.autoSkipPadding = 16;
	Chart.defaults.plugins.legend.labels.boxWidth = 14;
	for (const c of charts) {
		if (!c.canvas.isConnected) continue;
		if (c.drawn) c.drawn.destroy();
		c.drawn = new Chart(c.canvas, c.config());
	}
}
function series(rows, sets, step) {
	return {labels: rows.map((r) => when(r.at, step)), datasets: sets.map(([label, key, c, more]) =>
		Object.assign({label, data: rows.map((r) => typeof key === "function" ? key(r) : r[key]), backgroundColor: color(c), borderColor: color(c)}, more))};
}
const heatLabel = (i) => ms(Math.pow(2, i) / 1000);

function timeCharts(parent) {
	const b = buckets(120), few = buckets(60);
	if (!b.rows.length) return;
	const per = perStep(b.step), any = (k) => b.rows.some((r) => r[k] > 0);
	chart(parent, "Statements per " + per, "Reads, writes, others and their mean time", () => ({type: "bar",
		data: series(b.rows, [["reads", "reads", "--b0"], ["writes", "writes", "--b1"],
			["others", (r) => r.calls - r.reads - r.writes, "--b2"],
			["mean ms", (r) => r.calls ? r.ms / r.calls : 0, "--b3", {type: "line", yAxisID: "y1", pointRadius: 0, borderWidth: 2}]], b.step),
		options: {scales: {x: {stacked: true}, y: {stacked: true}, y1: {position: "right", grid: {drawOnChartArea: false}, beginAtZero: true}}}}));
	if (any("errors")) chart(parent, "Errors per " + per, "Errors, and in percent of the statements", () => ({type: "bar",
		data: series(b.rows, [["errors", "errors", "--b3"], any("cancels") ? ["of these cancelled", "cancels", "--b2"] : null, ["% of statements", (r) => r.calls ? 100 * r.errors / (r.calls + r.errors) : 0, "--b1", {type: "line", yAxisID: "y1", pointRadius: 0, borderWidth: 2}]].filter(Boolean), b.step),
		options: {scales: {y: {beginAtZero: true}, y1: {position: "right", grid: {drawOnChartArea: false}, beginAtZero: true}}}}));
	if (any("connections") || any("checkpoints"))
		chart(parent, "Connections, sessions, checkpoints per " + per, "Counts over time", () => ({type: "bar",
			data: series(b.rows, [["new connections", "connections", "--b0"], ["checkpoints", "checkpoints", "--b2"], any("disconnections") ? ["sessions open", "open", "--b1", {type: "line", pointRadius: 0, borderWidth: 2}] : null].filter(Boolean), b.step), options: {}}));
	if (any("lock_ms") || any("temp_bytes"))
		chart(parent, "Lock waits and temporary files per " + per, "Seconds waited, megabytes written", () => ({type: "bar",
			data: series(b.rows, [["lock waits, s", (r) => r.lock_ms / 1000, "--b3"], ["temporary files, MB", (r) => r.temp_bytes / 1e6, "--b1", {yAxisID: "y1"}]], b.step),
			options: {scales: {y: {beginAtZero: true}, y1: {position: "right", grid: {drawOnChartArea: false}, beginAtZero: true}}}}));
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
		options: {plugins: {legend: {display: false}, tooltip: {callbacks: {label: (c) => c.raw.n + " statements of " + heatLabel(c.raw.y) + " at " + when(few.rows[c.raw.x].at, few.step)}}},
			scales: {x: {ticks: {callback: (v) => few.rows[v] ? when(few.rows[v].at, few.step) : ""}}, y: {ticks: {stepSize: 2, callback: (v) => heatLabel(v)}}}}}));
}
function topChart(parent) {
	const top = data.shapes.filter((s) => s.total_ms).slice(0, 15);
	if (!top.length) return;
	chart(parent, "Where the time goes", "The dearest shapes by total time", () => ({type: "bar",
		data: {labels: top.map((s) => s.sql), datasets: [{label: "total", data: top.map((s) => s.total_ms), backgroundColor: color("--b0")}]},
		options: {indexAxis: "y", onClick: (e, hit) => { if (hit.length) show(top[hit[0].index].id); },
			plugins: {legend: {display: false}, tooltip: {callbacks: {title: (c) => short(top[c[0].dataIndex].sql, 100), label: (c) => ms(c.raw)}}}, scales: {x: {ticks: {callback: (v) => ms(v)}},
				y: {ticks: {autoSkip: false, callback(v) { return short(top[v].sql, Math.min(48, Math.max(12, Math.floor(this.chart.width / 16)))); }}}}}}), true);
}

/* --- findings and indexes -------------------------------------------------------------- */

function finding(f, open) {
	const s = f.shape && byId.get(f.shape);
	return el("details", {class: "card finding " + f.severity, open: open},
		el("summary", {}, el("span", {class: "badge " + f.severity}, f.severity), el("b", {}, f.rule + " " + f.name),
			el("span", {class: "what"}, f.message),
			el("span", {class: "dim"}, num(f.count) + " calls" + (s && s.total_ms ? ", " + ms(s.total_ms) + " (" + share(s.total_ms, totalMs) + ")" : ""))),
		f.shape && byId.has(f.shape) && el("p", {class: "of"}, el("button", {on: {click: () => show(f.shape)}}, el("code", {}, short(byId.get(f.shape).sql, 400)))),
		f.fix.note && el("p", {}, "Fix: " + f.fix.note), f.fix.sql && el("pre", {}, f.fix.sql),
		el("details", {}, el("summary", {}, "evidence"), el("pre", {}, JSON.stringify(f.evidence, null, 1)),
			el("p", {class: "dim"}, f.locations.map(place).join(", "), f.source ? " source " + f.source.file + ":" + f.source.line : "",
				(f.tests || []).length ? " in test " + f.tests.join(", ") : "")));
}
function findings(parent) {
	const tools = el("div", {class: "tools"}), list = el("div", {});
	const level = el("select", {"aria-label": "severity"}, ["all", "error", "warning", "info"].map((s) => el("option", {}, s)));
	const search = el("input", {type: "search", placeholder: "search findings", "aria-label": "search findings"});
	const fill = () => {
		const q = search.value.toLowerCase();
		const hits = data.findings.filter((f) => (level.value === "all" || f.severity === level.value) &&
			(!q || (f.rule + f.name + f.message + f.shape).toLowerCase().includes(q)));
		list.replaceChildren(...hits.slice(0, 300).map((f) => finding(f, false)));
		if (!hits.length) list.append(el("p", {class: "dim"}, "none"));
		if (hits.length > 300) list.append(el("p", {class: "dim"}, "and " + num(hits.length - 300) + " more"));
		if (data.findings_total > data.findings.length) list.append(el("p", {class: "dim"}, "the first " + num(data.findings.length) + " of " + num(data.findings_total) + " findings; the JSON report has all"));
	};
	level.addEventListener("change", fill);
	search.addEventListener("input", fill);
	const all = el("button", {on: {click: () => {
		const open = list.querySelector("details.finding:not([open])") !== null;
		list.querySelectorAll("details.finding").forEach((d) => { d.open = open; });
	}}}, "open / close all");
	tools.append(search, level, all);
	parent.append(tools, list);
	fill();
}
function indexes(parent) {
	for (const x of data.indexes)
		parent.append(el("article", {class: "card finding"}, el("pre", {}, x.ddl + ";"),
			el("p", {}, el("span", {class: "badge " + x.status}, x.status), " ",
				x.cost_before !== null ? "cost " + num(Math.round(x.cost_before)) + " \u2192 " + num(Math.round(x.cost_after)) + (x.size_bytes !== null ? ", " : " ") : "",
				x.size_bytes !== null ? "about " + bytes(x.size_bytes) +
				(x.size_most_bytes ? " (" + bytes(x.size_least_bytes) + " to " + bytes(x.size_most_bytes) + ")" : "") : ""),
			el("p", {class: "dim"}, x.why),
			x.online && x.online.length ? el("details", {}, el("summary", {}, "without locking out writes"), el("pre", {}, x.online.map((s) => s + ";").join("\n"))) : "",
			el("p", {}, x.queries.map((q) => el("button", {on: {click: () => show(q)}}, q)))));
}

/* --- tables --------------------------------------------------------------------------------- */

/* columns: [title, value(row), show(row) or null, class] */
const PAGE = 50;
function table(columns, rows, order, descending) {
	const body = el("tbody", {}), head = el("tr", {});
	let by = order, desc = descending, shown = PAGE;
	const more = el("button", {class: "more", on: {click: () => { shown = shown * 4; fill(); }}});
	const fill = () => {
		const value = columns[by][1];
		const sorted = rows.slice().sort((a, b) => {
			const x = value(a), y = value(b);
			const c = typeof x === "string" ? (x > y) - (x < y) : (x || 0) - (y || 0);
			return desc ? -c : c;
		});
		more.hidden = sorted.length <= shown;
		more.textContent = more.hidden ? "show more" : "show more: " + num(shown) + " of " + num(sorted.length) + " rows";
		body.replaceChildren(...sorted.slice(0, shown).map((r) => el("tr", {}, columns.map(([, v, s, c]) => el("td", {class: c}, s ? s(r) : String(v(r)))))));
		[...head.children].forEach((th, i) => th.setAttribute("aria-sort", i === by ? (desc ? "descending" : "ascending") : "none"));
	};
	columns.forEach(([title, , , c], i) => head.append(el("th", {class: c === "sql" ? "" : c, scope: "col"},
		el("button", {on: {click: () => { desc = by === i ? !desc : (c || "").includes("num"); by = i; fill(); }}}, title))));
	fill();
	const t = el("div", {}, el("div", {class: "scroll", tabindex: 0}, el("table", {}, el("thead", {}, head), body)), more);
	t.refill = (next) => { rows = next; shown = PAGE; fill(); };
	return t;
}
/* A figure with its share of the whole below it, as a bar. */
function bar(text, part, whole) {
	const fill = el("i", {});
	fill.style.width = (whole > 0 ? Math.min(100, 100 * (part || 0) / whole) : 0) + "%";
	return el("span", {class: "bar", title: share(part || 0, whole)}, text, el("s", {}, fill));
}
/* When a shape took its time: one small column for each part of the log. */
function spark(values) {
	if (!values || !values.some((v) => v)) return "";
	const top = Math.max(...values);
	return svg("svg", {class: "spark", viewBox: "0 0 " + values.length * 3 + " 20", preserveAspectRatio: "none", role: "img", "aria-label": "its time over the log"},
		values.map((v, i) => v ? svg("rect", {x: i * 3, y: 20 - Math.max(1, 20 * v / top), width: 2.4, height: Math.max(1, 20 * v / top)}) : null));
}
const timeColumns = [
	["calls", (s) => s.calls, (s) => num(s.calls), "num"],
	["total", (s) => s.total_ms || 0, (s) => bar(ms(s.total_ms), s.total_ms, totalMs), "num"],
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
		.concat(timeColumns, !data.shapes.some((s) => s.spark && s.spark.length > 1) ? [] : [["when", (s) => (s.spark || []).indexOf(Math.max(...(s.spark || [0]))), (s) => spark(s.spark), "wide"]], [["errors", (s) => s.errors || 0, (s) => num(s.errors), "num wide"], ["findings", (s) => hits.get(s.id) || 0, (s) => num(hits.get(s.id)), "num"]])
		.concat([["planning", "planning_ms", ms], ["rows", "rows", num], ["temp files", "temp_bytes", bytes], ["lock waits", "lock_ms", ms], ["cancelled", "cancels", num]]
			.filter(([, k]) => data.shapes.some((s) => s[k])).map(([title, k, f]) => [title, (s) => s[k] || 0, (s) => s[k] ? f(s[k]) : "", "num wide"]));
	const t = table(cols, data.shapes, 2, true);
	const fill = () => {
		const q = search.value.toLowerCase();
		t.refill(data.shapes.filter((s) => (verb.value === "all" || s.verb === verb.value) && (!q || s.sql.toLowerCase().includes(q) || s.id.startsWith(q))));
	};
	search.addEventListener("input", fill);
	verb.addEventListener("change", fill);
	parent.append(el("div", {class: "tools"}, search, verb), el("div", {class: "card"}, t));
	if (data.input.shapes > data.shapes.length)
		parent.append(el("p", {class: "dim"}, "the first " + num(data.shapes.length) + " of " + num(data.input.shapes) + " statements; the JSON report has all"));
}
function groups(parent) {
	if (data.verbs.length)
		parent.append(el("div", {class: "card whole"}, el("h3", {}, "types of statements"), table([["type", (v) => v.verb, null, "name"],
			["calls", (v) => v.calls, (v) => bar(num(v.calls), v.calls, data.input.statements), "num"], ["of all", (v) => v.calls, (v) => share(v.calls, data.input.statements), "num wide"],
			["total", (v) => v.ms, (v) => bar(ms(v.ms), v.ms, totalMs), "num"], ["mean", (v) => v.calls ? v.ms / v.calls : 0, (v) => v.calls ? ms(v.ms / v.calls) : "", "num"],
			["errors", (v) => v.errors, (v) => num(v.errors), "num"]], data.verbs, 1, true)));
	for (const [kind, rows] of Object.entries(data.by)) {
		if (!rows.length) continue;
		const hours = kind === "hours";
		parent.append(el("div", {class: "card whole"}, el("h3", {}, hours ? (data.hour_step > 24 ? "weeks" : data.hour_step > 1 ? "days" : "hours") + " (UTC)" : kind),
			table([["name", (g) => g.name, null, "name"]].concat(timeColumns, [["p99.9", (s) => s.p999_ms || 0, (s) => ms(s.p999_ms), "num wide"],
				["errors", (g) => g.errors || 0, (g) => num(g.errors), "num"]], hours || !rows.some((g) => g.sessions || g.sessions_ended) ? [] : [["sessions", (g) => g.sessions || g.sessions_ended || 0, (g) => num(g.sessions || g.sessions_ended), "num wide"],
					["lasted", (g) => g.sessions_ended ? g.session_s / g.sessions_ended : 0, (g) => g.sessions_ended ? ms(1000 * g.session_s / g.sessions_ended) : "", "num wide"]]), rows, hours ? 0 : 2, !hours)));
	}
}
/* One of several, chosen by its title. */
function tabs(parts) {
	const body = el("div", {}), heads = parts.map(([title, part]) => el("button", {"aria-pressed": "false", on: {click: (e) => {
		heads.forEach((h) => h.setAttribute("aria-pressed", h === e.currentTarget));
		body.replaceChildren(part);
	}}}, title));
	heads[0].setAttribute("aria-pressed", "true");
	body.append(parts[0][1]);
	return el("div", {}, el("div", {class: "tools tabs"}, heads), body);
}
const link = (id, n) => id && byId.has(id) ? el("button", {on: {click: () => show(id)}}, el("code", {}, short(byId.get(id).sql, n || 160))) : el("span", {class: "dim"}, "not known");

/* --- transactions and locks ------------------------------------------------------------------- */

function transactions(parent) {
	const t = data.transactions;
	const stats = [["transactions", num(t.count)], ["rolled back", num(t.rollbacks)], ["statements each", (t.statements / t.count).toFixed(1)],
		["p50", ms(t.time.p50_ms)], ["p95", ms(t.time.p95_ms)], ["longest", ms(t.time.max_ms)],
		["idle in transaction", ms(t.idle.total_ms)], ["idle, p95", ms(t.idle.p95_ms)], ["idle, longest", ms(t.idle.max_ms)]];
	parent.append(el("div", {class: "tiles whole"}, stats.map(([k, v]) => el("div", {class: "card tile"}, el("b", {}, v), el("span", {}, k)))));
	const tables = [["busiest", "Most statements"], ["longest", "Longest"], ["idlest", "Longest idle"]].map(([kind, title]) => [title, table([
			["statements", (x) => x.statements, (x) => num(x.statements), "num"], ["took", (x) => x.ms, (x) => ms(x.ms), "num"],
			["idle", (x) => Math.max(0, x.ms - x.busy_ms), (x) => bar(ms(Math.max(0, x.ms - x.busy_ms)), Math.max(0, x.ms - x.busy_ms), x.ms), "num"],
			["dearest statement", (x) => x.shape || "", (x) => link(x.shape, 90), "sql"],
			["who", (x) => x.user, (x) => [[x.user, x.database].filter(Boolean).join("@"), x.application].filter(Boolean).join(" / "), "name wide"],
			["when", (x) => x.begin || "", null, "name wide"], ["where", (x) => x.locations.map(place).join(), null, "wide"]], t[kind], kind === "busiest" ? 0 : kind === "longest" ? 1 : 2, true)]);
	parent.append(el("div", {class: "card whole"}, tabs(tables)));
}

/* A graph: statements on a circle, an arrow from who waited to who held the lock. */
function lockGraph(parent) {
	const edges = data.waits.filter((w) => w.waiter && w.holder).sort((a, b) => b.ms + 1000 * b.deadlocks - a.ms - 1000 * a.deadlocks).slice(0, 24);
	const ids = [...new Set(edges.flatMap((w) => [w.waiter, w.holder]))];
	if (!ids.length) return;
	const W = 720, H = 60 + Math.max(220, ids.length * 34), at = new Map();
	ids.forEach((id, i) => {
		const a = 2 * Math.PI * i / ids.length - Math.PI / 2, wide = ids.length < 3 ? 180 : 250;
		at.set(id, {x: W / 2 + (ids.length === 1 ? 0 : wide * Math.cos(a)), y: H / 2 + (H / 2 - 50) * Math.sin(a)});
	});
	const lines = edges.map((w) => {
		const a = at.get(w.waiter), b = at.get(w.holder), self = w.waiter === w.holder;
		const dx = b.x - a.x, dy = b.y - a.y, d = Math.hypot(dx, dy) || 1, cx = (a.x + b.x) / 2 - dy / d * 30, cy = (a.y + b.y) / 2 + dx / d * 30;
		const path = self ? "M" + (a.x - 12) + " " + (a.y - 14) + "c-30 -44 54 -44 24 0"
			: "M" + (a.x + dx / d * 16) + " " + (a.y + dy / d * 16) + "Q" + cx + " " + cy + " " + (b.x - dx / d * 18) + " " + (b.y - dy / d * 18);
		return svg("path", {d: path, class: w.deadlocks ? "deadlock" : "", "marker-end": "url(#arrow)"},
			svg("title", {}, w.deadlocks ? num(w.deadlocks) + " deadlocks" : num(w.waits) + " waits, " + ms(w.ms)));
	});
	const nodes = ids.map((id, i) => {
		const p = at.get(id), s = byId.get(id), right = p.x > W / 2;
		const g = svg("g", {tabindex: 0, role: "button", "aria-label": s ? s.sql : id}, svg("circle", {cx: p.x, cy: p.y, r: 12}),
			svg("text", {x: p.x, y: p.y + 4, "text-anchor": "middle", class: "n"}, String(i + 1)), svg("title", {}, s ? s.sql : id));
		g.addEventListener("click", () => show(id));
		g.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); show(id); } });
		return g;
	});
	parent.append(el("div", {class: "card"}, el("h3", {}, "Who waited for whom"), el("p", {class: "dim"}, "An arrow goes from the statement that waited to the latest one of the session that held the lock; red ones ended in a deadlock."),
		svg("svg", {class: "graph", viewBox: "0 0 " + W + " " + H, role: "group", "aria-label": "graph of lock waits"},
			svg("defs", {}, svg("marker", {id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto"}, svg("path", {d: "M0 0L8 4L0 8z"}))), lines, nodes),
		el("ol", {class: "legend"}, ids.map((id) => el("li", {}, link(id, 140))))));
}
function locks(parent) {
	lockGraph(parent);
	if (data.deadlocks.length)
		parent.append(el("div", {class: "card"}, el("h3", {}, "Deadlocks"), data.deadlocks.map((d) => el("div", {class: "dead"},
			el("p", {}, el("b", {}, num(d.count) + " \u00d7"), el("span", {class: "dim"}, " " + [d.first, d.last].filter(Boolean).join(" to ") + ", " + d.locations.map(place).join(", "))),
			d.processes.map((p) => el("p", {}, el("span", {class: "dim"}, p.pid + " waited for " + p.blocked_by + (p.lock ? ": " + p.lock : "")), el("br"), link(p.shape, 200)))))));
	const waits = data.waits.filter((w) => w.waits);
	if (waits.length)
		parent.append(el("div", {class: "card whole"}, el("h3", {}, "Lock waits"), table([["waited", (w) => w.ms, (w) => ms(w.ms), "num"], ["times", (w) => w.waits, (w) => num(w.waits), "num"],
			["statement that waited", (w) => w.waiter || "", (w) => link(w.waiter), "sql"], ["latest statement of the holder", (w) => w.holder || "", (w) => link(w.holder), "sql"],
			["first seen", (w) => w.locations.map(place).join(), null, "wide"]], waits, 0, true)));
}
function errors(parent) {
	if (data.sqlstates.length)
		parent.append(el("div", {class: "card"}, el("h3", {}, "By SQLSTATE"), table([["count", (e) => e.count, (e) => bar(num(e.count), e.count, data.sqlstates.reduce((s, x) => s + x.count, 0)), "num"],
			["SQLSTATE", (e) => e.sqlstate || "?", null, ""], ["condition", (e) => e.condition.replaceAll("_", " "), null, ""]], data.sqlstates, 0, true)));
	if (data.errors.length)
		parent.append(el("div", {class: "card"}, el("h3", {}, "By message"), table([["count", (e) => e.count, (e) => num(e.count), "num"], ["severity", (e) => e.severity, null, ""],
			["SQLSTATE", (e) => e.sqlstate || "", null, ""], ["message", (e) => e.message, (e) => e.shape && byId.has(e.shape) ? el("button", {on: {click: () => show(e.shape)}}, e.message) : e.message, "sql plain"],
			["first seen", (e) => e.locations.map(place).join(", "), null, "wide"]], data.errors, 0, true)));
	else parent.append(el("p", {class: "dim"}, "none"));
}
function server(parent) {
	const classes = Object.entries(data.input.by_class).filter(([, n]) => n > 0);
	const groups = [...new Set(data.figures.map((f) => f.group))].filter((g) => g !== "Statements" || data.figures.length > 1);
	const figures = el("div", {class: "figures whole"});
	parent.append(figures);
	for (const g of groups)
		figures.append(el("div", {class: "card"}, el("h3", {}, g), el("dl", {}, data.figures.filter((f) => f.group === g).flatMap((f) => [el("dt", {}, f.what), el("dd", {}, f.text)])),
			g === "Sessions" && data.sessions.hist && data.sessions.hist.length ? el("div", {class: "chart short"}, el("canvas", {class: "sessions", role: "img", "aria-label": "how long sessions lasted"})) : null,
			g === "Checkpoints" ? kinds("causes", data.checkpoint_causes) : null, g === "Locks" ? kinds("by type", data.lock_types) : null));
	const sessions = parent.querySelector("canvas.sessions");
	if (sessions) {
		const h = histogram(data.sessions);
		charts.push({canvas: sessions, config: () => ({type: "bar", data: {labels: h.labels, datasets: [{label: "sessions", data: h.data, backgroundColor: color("--b0")}]}, options: {plugins: {legend: {display: false}}}}), drawn: null});
	}
	const temp = data.shapes.filter((s) => s.temp_files);
	if (temp.length)
		parent.append(el("div", {class: "card whole"}, el("h3", {}, "statements that wrote temporary files"), table([["files", (s) => s.temp_files, (s) => num(s.temp_files), "num"], ["written", (s) => s.temp_bytes, (s) => bytes(s.temp_bytes), "num"],
			["largest", (s) => s.temp_largest_bytes || 0, (s) => bytes(s.temp_largest_bytes || 0), "num"], ["statement", (s) => s.sql, (s) => link(s.id), "sql"]], temp, 1, true)));
	if (data.autovacuum.length) {
		const show = {ms, bytes, count: num};
		parent.append(el("div", {class: "card whole"}, el("h3", {}, "autovacuum by table"), table([["table", (v) => v.table, null, ""]].concat(data.vacuum_columns.filter((c, i) => i < 4 || data.autovacuum.some((v) => v[c.key]))
			.map((c, i) => [c.what, (v) => v[c.key] || 0, (v) => show[c.unit](v[c.key] || 0), i < 3 ? "num" : "num wide"])), data.autovacuum, 3, true)));
	}
	parent.append(el("div", {class: "card whole"}, el("h3", {}, "every byte of the input"), table([["class", (x) => x[0].replaceAll("_", " "), null, ""], ["bytes", (x) => x[1], (x) => bar(num(x[1]), x[1], data.input.bytes), "num"]], classes, 1, true)));
}
function kinds(title, rows) {
	const all = rows.reduce((s, k) => s + k.count, 0), timed = rows.some((k) => k.ms);
	return rows.length ? table([[title, (k) => k.name, null, ""], ["count", (k) => k.count, (k) => bar(num(k.count), k.count, all), "num"]]
		.concat(timed ? [["time", (k) => k.ms, (k) => ms(k.ms), "num"]] : []), rows, 1, true) : null;
}

/* --- one shape ------------------------------------------------------------------------------------ */

const dialog = el("dialog", {"aria-label": "statement"});
let details = [];
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
		["planning", ms(s.planning_ms)], ["rows", s.rows === undefined ? "" : num(s.rows)], ["waited in the pool", ms(s.wait_ms)], ["errors", s.errors ? num(s.errors) : ""], ["cancelled", s.cancels ? num(s.cancels) : ""],
		["temporary files", s.temp_bytes ? bytes(s.temp_bytes) : ""], ["lock waits", s.lock_ms ? ms(s.lock_ms) : ""], ["of all time", s.total_ms ? share(s.total_ms, totalMs) : ""]];
	dialog.replaceChildren(...[el("button", {class: "close", on: {click: () => dialog.close()}}, "close"), el("h2", {}, s.verb + " " + s.id), el("pre", {}, s.sql),
		el("div", {class: "tiles"}, stats.filter((x) => x[1]).map(([k, v]) => el("div", {class: "tile"}, el("b", {}, v), el("span", {}, k)))),
		el("div", {class: "grid two"}, s.hist.length ? el("div", {}, el("h3", {}, "Latency"), el("div", {class: "chart"}, el("canvas", {class: "hist", role: "img", "aria-label": "latency of this statement"}))) : null,
			s.hours && s.hours.length > 1 ? el("div", {}, el("h3", {}, "Calls and mean time per hour"), el("div", {class: "chart"}, el("canvas", {class: "hours", role: "img", "aria-label": "calls per hour"}))) : null),
		by(s),
		own.length ? el("h3", {}, "Findings") : null, own.map((f) => finding(f, true)),
		plansOf(id).length ? el("h3", {}, "Plan") : null, plansOf(id).slice(0, 3).map(plan),
		data.indexes.filter((x) => x.queries.includes(id)).map((x) => el("div", {}, el("h3", {}, "Index"), el("pre", {}, x.ddl + ";"), el("p", {class: "dim"}, x.why))),
		s.samples.length ? el("h3", {}, "Slowest calls") : null,
		s.samples.map((x) => el("div", {}, el("p", {class: "dim"}, [ms(x.ms), x.time, [x.user, x.database].filter(Boolean).join("@"), x.application, x.locations.map(place).join(", ")].filter(Boolean).join(" \u00b7 ")),
			el("pre", {}, x.sql), x.parameters ? el("pre", {}, x.parameters) : null)),
		s.unparsed ? el("p", {class: "dim"}, "not parsed: " + s.unparsed) : null].flat().filter(Boolean));
	if (!dialog.open) dialog.showModal();
	dialog.scrollTop = 0;
	history.replaceState(null, "", "#shape=" + id);
	details.forEach((c) => c.destroy());
	details = [];
	const hist = dialog.querySelector("canvas.hist"), hours = dialog.querySelector("canvas.hours");
	if (hist) {
		const h = histogram(s);
		details.push(new Chart(hist, {type: "bar", data: {labels: h.labels, datasets: [{label: "calls", data: h.data, backgroundColor: color("--b0")}]}, options: {plugins: {legend: {display: false}}}}));
	}
	if (hours) {
		const h = s.hours.slice().sort((a, b) => a[0] - b[0]);
		details.push(new Chart(hours, {type: "bar", data: {labels: h.map((x) => iso(x[0] * 3600).slice(5, 16).replace("T", " ")), datasets: [{label: "calls", data: h.map((x) => x[1]), backgroundColor: color("--b0")},
			{label: "mean ms", data: h.map((x) => x[1] ? x[2] / x[1] : 0), borderColor: color("--b3"), backgroundColor: color("--b3"), type: "line", yAxisID: "y1", pointRadius: 0, borderWidth: 2}]},
			options: {scales: {y: {beginAtZero: true}, y1: {position: "right", grid: {drawOnChartArea: false}, beginAtZero: true}}}}));
	}
}
/* Who sent it. */
function by(s) {
	const rows = Object.entries(s.calls_by || {}).flatMap(([kind, names]) => Object.entries(names).map(([name, calls]) => ({kind, name, calls})));
	return rows.length ? el("details", {}, el("summary", {}, "who sent it"), table([["by", (x) => x.kind, null, ""], ["name", (x) => x.name, null, ""], ["calls", (x) => x.calls, (x) => bar(num(x.calls), x.calls, s.calls), "num"]], rows, 2, true)) : null;
}
dialog.addEventListener("close", () => history.replaceState(null, "", "#shapes"));

/* --- plans: report_plan.js draws them ------------------------------------------------------------ */

const plansOf = (id) => data.plans.filter((p) => p.shape === id);
function plan(p) {
	const own = data.findings.filter((f) => f.rule.startsWith("PL") && f.locations.some((l) => l.file === p.file && l.line === p.line));
	const whole = own.filter((f) => !f.evidence.node);
	return el("article", {class: "card"},
		el("p", {class: "dim"}, p.file + ":" + p.line, p.times > 1 ? ", the slowest of " + num(p.times) : "", p.execution_ms !== null ? " \u00b7 " + ms(p.execution_ms) : ""),
		p.shape && byId.has(p.shape) ? el("p", {class: "of"}, el("button", {on: {click: () => show(p.shape)}}, el("code", {}, short(byId.get(p.shape).sql, 300)))) : null,
		p.nodes.length ? plan_picture(p, own, {el, num, ms, finding}) : el("pre", {class: "tree"}, p.tree), whole.map((f) => finding(f)),
		data.indexes.filter((x, i) => (p.shape && x.queries.includes(p.shape)) || own.some((f) => f.index === i))
			.map((x) => el("div", {}, el("pre", {}, x.ddl + ";"), el("p", {class: "dim"}, x.why))));
}
function plans(parent) {
	const list = el("div", {class: "grid"});
	let shown = 0;
	const more = el("button", {on: {click: () => { for (const end = shown + 10; shown < end && shown < data.plans.length; shown++) list.append(plan(data.plans[shown])); more.hidden = shown >= data.plans.length; }}}, "more plans");
	parent.append(list, more);
	more.click();
}

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
const has = {indexes: data.indexes.length, charts: series_rows.length, transactions: data.transactions.count, locks: data.waits.length + data.deadlocks.length, errors: data.errors.length,
	by: Object.values(data.by).some((g) => g.length), plans: data.plans.length, shapes: data.shapes.length, server: data.command !== "plan"};
const sections = [["charts", "Over time", (p) => { timeCharts(p); topChart(p); }, "grid two"], ["plans", "Plans", plans], ["findings", "Findings", findings], ["indexes", "Indexes", indexes],
	["shapes", "Statements", shapes], ["transactions", "Transactions", transactions, "grid two"], ["locks", "Locks", locks, "grid two"], ["errors", "Errors", errors, "grid two uneven"],
	["by", "Who and when", groups, "grid two"], ["server", "Server and input", server, "grid two"]]
	.filter(([id]) => !(id in has) || has[id]);
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
