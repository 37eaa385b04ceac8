/* A plan as a picture: an icicle, where a box is as wide as its node's time with all below it and
 * as hot as the time it took itself, and under it the same nodes as rows, with their own time, the
 * rows that came beside those that were expected, blocks and findings.  A plan that was not
 * measured is drawn by its cost.
 *
 * plan_picture(plan, findings, tools) -> an element; tools: {el, num, ms, bytes, finding}. */
"use strict";
/* exported plan_picture */
function plan_picture(plan, findings, tools) {
	const {el, num, ms} = tools;
	const nodes = plan.nodes.slice(0, 1000), byNumber = new Map(nodes.map((n) => [n.number, n]));
	const timed = nodes.some((n) => n.self_ms !== null);
	const whole = (n) => Math.max(0, (timed ? n.wall_ms : n.cost) || 0);
	const kids = new Map(nodes.map((n) => [n.number, []]));
	for (const n of nodes) if (n.parent && kids.has(n.parent)) kids.get(n.parent).push(n);
	const own = new Map();
	for (const f of findings) {
		const at = f.evidence && f.evidence.node;
		if (at) own.set(at, (own.get(at) || []).concat(f));
	}
	const worst = (n) => { const s = (own.get(n.number) || []).map((f) => f.severity); return ["error", "warning", "info"].find((x) => s.includes(x)); };
	const took = (n) => n.never_executed ? "never executed" : timed ? ms(n.self_ms) : "cost " + num(Math.round(n.self_cost || 0));
	const percent = (x) => (100 * x).toFixed(x < 0.1 && x > 0.0005 ? 1 : 0) + " %";

	/* --- where each box stands -------------------------------------------------- */

	const box = new Map();
	let deepest = 0;
	(function place(n, x, w, depth) {
		box.set(n.number, {x, w, depth});
		deepest = Math.max(deepest, depth);
		const list = kids.get(n.number), sum = list.reduce((s, c) => s + whole(c), 0);
		const room = Math.max(whole(n), sum) || 1;
		for (const c of list) {
			const part = w * (sum ? whole(c) / room : 1 / list.length);
			place(c, x, part, depth + 1);
			x += part;
		}
	})(nodes[0], 0, 100, 0);

	/* --- rows that came and rows that were expected, on one logarithmic scale ----- */

	const most = Math.max(10, ...nodes.map((n) => Math.max(n.rows || 0, (n.expected_rows || 0) * Math.max(1, n.loops || 1))));
	const log = (x) => 100 * Math.log10(1 + Math.max(0, x || 0)) / Math.log10(1 + most);
	function rows(n) {
		const expected = (n.expected_rows || 0) * Math.max(1, n.loops || 1);
		if (n.rows === null) return el("span", {class: "rows"}, n.expected_rows === null ? "" : "expects " + num(n.expected_rows));
		const off = Math.max(expected, 1) / Math.max(n.rows, 1), ratio = off >= 1 ? off : 1 / off;
		const bar = el("span", {class: "log", "aria-hidden": "true"}, el("i", {}), el("u", {}));
		bar.firstChild.style.width = log(n.rows) + "%";
		bar.lastChild.style.left = log(expected) + "%";
		// what a LIMIT above stopped early gave fewer rows than it could have: no estimate is wrong
		const judged = n.expected_rows !== null && !n.never_executed && !(off > 1 && n.cut_short) && ratio >= 10 && Math.max(expected, n.rows) >= 100;
		return el("span", {class: "rows"}, bar, el("span", {}, num(Math.round(n.rows)) + (n.rows === 1 ? " row" : " rows"),
			n.expected_rows === null ? "" : " / " + num(Math.round(expected)) + " expected",
			judged ? el("b", {class: "off"}, " \u00d7" + num(Math.round(ratio)) + (off > 1 ? " too many" : " too few")) : ""));
	}

	/* --- the icicle -------------------------------------------------------------- */

	const cells = new Map(), lines = new Map();
	const icicle = el("div", {class: "icicle", role: "tree", "aria-label": "nodes by " + (timed ? "time" : "cost") + "; arrow keys walk the tree"});
	icicle.style.height = (deepest + 1) * 1.75 + "rem";
	for (const n of nodes) {
		const b = box.get(n.number);
		if (!b) continue;
		const cell = el("button", {role: "treeitem", tabindex: n === nodes[0] ? 0 : -1, class: "cell" + (n.never_executed ? " never" : ""),
			"aria-level": b.depth + 1, title: "node " + n.number + ": " + n.title + "\n" + took(n) + ", " + percent(n.share || 0) + " itself",
			"aria-label": n.title + ", " + took(n) + ", " + percent(n.share || 0)}, n.title);
		cell.style.left = b.x + "%";
		cell.style.width = b.w + "%";
		cell.style.top = b.depth * 1.75 + "rem";
		cell.style.setProperty("--heat", Math.round(55 * Math.min(1, n.share || 0)) + "%");
		if (worst(n)) cell.classList.add("has-" + worst(n));
		cell.addEventListener("click", () => open(n, true));
		cell.addEventListener("keydown", (e) => {
			const list = n.parent ? kids.get(n.parent) : [n], at = list.indexOf(n);
			const to = {ArrowUp: byNumber.get(n.parent), ArrowDown: kids.get(n.number)[0], ArrowLeft: list[at - 1], ArrowRight: list[at + 1], Home: nodes[0]}[e.key];
			if (!to) return;
			e.preventDefault();
			cell.tabIndex = -1;
			cells.get(to.number).tabIndex = 0;
			cells.get(to.number).focus();
		});
		cells.set(n.number, cell);
		icicle.append(cell);
	}

	/* --- the rows -------------------------------------------------------------------- */

	const widest = Math.max(...nodes.map((n) => n.share || 0), 0.01);
	const dull = ["Parallel Aware", "Async Capable", "Inner Unique", "Single Copy", "Cache Mode"];
	function row(n) {
		const b = box.get(n.number), bar = el("span", {class: "bar", "aria-hidden": "true"}, el("i", {}));
		bar.firstChild.style.width = 100 * (n.share || 0) / widest + "%";
		bar.firstChild.style.setProperty("--heat", Math.round(90 * Math.min(1, n.share || 0)) + "%");
		const name = el("span", {class: "name"}, el("span", {class: "number", title: "node " + n.number}, String(n.number)),
			n.subplan ? el("em", {}, n.subplan + " ") : "", n.title,
			(own.get(n.number) || []).map((f) => el("span", {class: "badge " + f.severity, title: f.message}, f.rule)));
		name.style.setProperty("--depth", Math.min(b.depth, 24));
		const shown = Object.entries(n.properties).filter(([k]) => !dull.includes(k));
		const line = el("details", {class: "node"}, el("summary", {}, name, el("span", {class: "time"}, bar,
			el("span", {}, took(n) + (n.share ? " \u00b7 " + percent(n.share) : ""))), rows(n),
			el("span", {class: "blocks"}, n.blocks ? num(n.blocks) + " blocks" + (n.read_blocks ? ", " + num(n.read_blocks) + " read" : "") : "")),
			el("div", {class: "inside"}, (own.get(n.number) || []).map(tools.finding),
				el("dl", {}, [["with all below", timed ? ms(n.wall_ms) : "cost " + num(n.cost)], ["loops", n.loops > 1 ? num(n.loops) : ""],
					["thrown away", n.removed ? num(Math.round(n.removed)) + " rows" : ""],
					["temporary blocks", n.temp_blocks ? num(n.temp_blocks) : ""],
					["workers", n.workers_planned === null ? "" : num(n.workers_launched) + " of " + num(n.workers_planned)]].concat(shown)
					.filter(([, v]) => v !== "").map(([k, v]) => [el("dt", {}, k), el("dd", {}, el("code", {}, String(v)))]))));
		lines.set(n.number, line);
		return line;
	}
	function open(n, scroll) {
		for (const [number, c] of cells) c.setAttribute("aria-selected", number === n.number);
		const line = lines.get(n.number);
		line.open = true;
		for (const l of lines.values()) l.classList.toggle("chosen", l === line);
		if (scroll) line.scrollIntoView({block: "nearest"});
	}
	const list = el("div", {class: "nodes"}, nodes.map(row));
	const foot = [plan.planning_ms !== null ? "planning " + ms(plan.planning_ms) : "", plan.execution_ms !== null ? "execution " + ms(plan.execution_ms) : "",
		plan.jit_ms ? "JIT " + ms(plan.jit_ms) : "", "a box is as wide as its node with all below it, as red as the node itself",
		nodes.some((n) => n.rows !== null) ? "blue: rows that came, orange: rows expected" : "", timed ? "" : "not measured: widths are costs", plan.nodes.length > nodes.length ? "the first 1,000 of " + num(plan.nodes.length) + " nodes" : ""]
		.concat((plan.triggers || []).map((t) => "trigger " + t.name + " " + ms(t.ms) + ", " + num(t.calls) + " calls"));
	return el("div", {class: "plan"}, icicle, list, el("p", {class: "dim"}, foot.filter(Boolean).join(" \u00b7 ")),
		el("details", {}, el("summary", {}, "as text"), el("pre", {class: "tree"}, plan.tree)));
}
