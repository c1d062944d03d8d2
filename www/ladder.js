// Messages as a ladder: one line of life for each address, the switch between those who call it and those it calls.
import { itemKey } from "./capture.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact.js";

const ROW = 42, LINE = 29, AROUND = 10;	// px, px, rows beyond the edges
const LANES_MOST = 5;			// of a side
const SWITCH = "";			// its lane's key

const host = remote => remote.replace(/:\d+$/, "");

// Who speaks to the switch stands left of it, whom it speaks to stands right of it; too many share a lane, by host or all together.
function lanesOf(followed, { caller, callee }) {
	const sides = new Map(), counts = new Map();
	for (const { item, facts } of followed) {
		if (!sides.has(item.remote))
			sides.set(item.remote, (item.direction === "in") === (facts.kind === "request") ? "left" : "right");
		counts.set(item.remote, (counts.get(item.remote) || 0) + 1);
	}
	let groups = new Map([...sides].map(([remote, side]) => [remote, { key: remote, side, title: host(remote), detail: remote.slice(host(remote).length), count: counts.get(remote) }]));
	const laneOf = new Map([...sides.keys()].map(remote => [remote, remote]));
	const merge = (keyOf, lane) => {
		const merged = new Map();
		for (const remote of sides.keys()) {
			const before = groups.get(laneOf.get(remote)), key = keyOf(before);
			laneOf.set(remote, key);
			const joined = merged.get(key) || { ...lane(before), key, side: before.side, count: 0, of: new Set(), only: before };
			joined.count += counts.get(remote);
			joined.of.add(before.key);
			merged.set(key, joined);
		}
		groups = new Map([...merged].map(([key, one]) => [key, one.of.size > 1 ? one : { ...one.only, key }]));
	};
	const of = side => [...groups.values()].filter(group => group.side === side);
	for (const side of ["left", "right"]) {
		if (of(side).length > LANES_MOST)
			merge(group => group.side === side ? `${side} ${host(group.key)}` : group.key, group => ({ title: host(group.key), detail: "several ports" }));
		if (of(side).length > LANES_MOST) {
			const shown = new Set(of(side).sort((a, b) => b.count - a.count).slice(0, LANES_MOST - 1).map(group => group.key));
			merge(group => group.side !== side || shown.has(group.key) ? group.key : `${side} others`, () => ({ title: "others", detail: "" }));
		}
	}
	const left = of("left").reverse(), right = of("right");
	if (left.length)
		left[left.length - 1].name = caller;
	if (right.length)
		right[0].name = callee;
	const lanes = [...left, { key: SWITCH, title: "Tandem", detail: "" }, ...right];
	return { lanes, middle: left.length, at: new Map([...laneOf].map(([remote, key]) => [remote, lanes.findIndex(lane => lane.key === key)])) };
}

// Kinds differ by line and head as well as by colour.
const looks = {
	request: { tone: "busy", head: "M0 0L-9 -4.5V4.5z", filled: true },
	provisional: { tone: "off", dash: "2 4", head: "M-8 -4.5L0 0L-8 4.5" },
	success: { tone: "good", head: "M-8 -4.5L0 0L-8 4.5M-13 -4.5L-5 0L-13 4.5" },
	challenge: { tone: "warn", dash: "9 4", head: "M0 0L-6 -5L-12 0L-6 5z" },
	failure: { tone: "bad", dash: "5 3", head: "M-11 -5L-1 5M-1 -5L-11 5" },
};

function Arrow({ kind, from, to, y = LINE, again }) {
	const look = looks[kind], way = to > from ? 1 : -1;
	return html`<g class=${`hop ${look.tone}`}><line x1=${from} y1=${y} x2=${to} y2=${y} stroke-dasharray=${look.dash} />
		<path d=${look.head} transform=${`translate(${to} ${y}) scale(${way} 1)`} class=${look.filled ? "filled" : null} />
		${again && html`<path d="M-4 -3a5 5 0 1 1 -1 4M-6 -5l1.5 3l3 -1" class="again" transform=${`translate(${from + way * 14} ${y})`} />`}</g>`;
}

export const Legend = () => html`<ul class="legend" aria-label="Kinds of messages">${[["request", "request"], ["provisional", "1xx"], ["success", "2xx"], ["challenge", "401, 407"], ["failure", "3xx to 6xx"], ["request", "sent again", true]].map(([kind, word, again]) =>
	html`<li key=${word}><svg viewBox="0 0 48 14" width="48" height="14" aria-hidden="true"><${Arrow} kind=${kind} from=${2} to=${45} y=${7} again=${again} /></svg> ${word}</li>`)}</ul>`;

export function offset(ms) {
	const s = Math.abs(ms) / 1000, sign = ms < 0 ? "−" : "+";
	return s < 100 ? `${sign}${s.toFixed(3)}` : s < 3600 ? `${sign}${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}` : `${sign}${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
}

const exact = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
export const exactTime = at => exact.format(new Date(at));

// In words, for those who do not see the arrow.
function spoken(one, from, to, since) {
	return `${offset(since)} s, from ${from} to ${to}: ${one.facts.label}${one.facts.code ? ` to ${one.facts.method}` : ""}${one.copyOf ? ", sent again" : ""}`;
}

const Row = ({ one, n, total, frame, begin, selected, first, onPick, buttonRef }) => {
	const { lanes, middle, at, xs } = frame, remote = at.get(one.item.remote), out = one.item.direction === "out";
	const from = out ? middle : remote, to = out ? remote : middle, since = Date.parse(one.item.at) - begin;
	const left = Math.min(xs[from], xs[to]), wide = Math.abs(xs[to] - xs[from]);
	return html`<li aria-posinset=${n + 1} aria-setsize=${total} style=${{ top: `${n * ROW}px` }}><button type="button" ref=${buttonRef} class="rung" aria-pressed=${selected} tabindex=${selected || first ? "0" : "-1"} title=${one.item.at} onClick=${onPick}>
		<span class="hidden-text">${spoken(one, lanes[from].name || `${lanes[from].title}${lanes[from].detail}`, lanes[to].name || `${lanes[to].title}${lanes[to].detail}`, since)}</span>
		<svg width=${frame.width} height=${ROW} aria-hidden="true">${xs.map((x, i) => html`<line key=${i} class=${i === middle ? "life own" : "life"} x1=${x} y1="0" x2=${x} y2=${ROW} />`)}<${Arrow} kind=${one.facts.kind} from=${xs[from]} to=${xs[to]} again=${one.copyOf} /></svg>
		<span class="when" aria-hidden="true">${offset(since)}<small>${exactTime(one.item.at)}</small></span>
		<span class=${`what ${looks[one.facts.kind].tone}`} aria-hidden="true" style=${{ left: `${left + 6}px`, width: `${wide - 12}px` }}><b>${one.facts.label}</b>${one.facts.code ? html` <small>${one.facts.method}</small>` : one.facts.type.endsWith("/sdp") && html` <small>SDP</small>`}${one.copyOf && html` <small>again</small>`}</span>
	</button></li>`;
};

function frameOf(placed, room) {
	const narrow = room < 560, time = narrow ? 58 : 100, half = narrow ? 48 : 70, least = narrow ? 100 : 116, n = placed.lanes.length;
	const gap = Math.min(420, Math.max(least, n > 1 ? (room - time - 2 * half) / (n - 1) : 0));
	const xs = placed.lanes.map((_, i) => time + half + i * gap), width = Math.max(room, time + 2 * half + (n - 1) * gap);
	return { ...placed, xs, width, room: xs.map(x => Math.min(Math.max(half, gap / 2), x, width - x)) };	// room: of a name, to either side of its line
}

// followed: what followed() of sip.js gave; onPick(key, byKeyboard)
export function Ladder({ followed, names, selected, onPick, following, label }) {
	const box = useRef(null), chosen = useRef(null), refocus = useRef(false), atEnd = useRef(true);
	const [view, setView] = useState({ top: 0, height: 600, width: 600 }), [below, setBelow] = useState(false);
	const look = () => {
		const { scrollTop: top, clientHeight: height, clientWidth: width, scrollHeight } = box.current;
		atEnd.current = scrollHeight - top - height < ROW;
		setBelow(!atEnd.current);
		setView({ top, height, width });
	};
	useLayoutEffect(() => {
		const observer = new ResizeObserver(look);
		observer.observe(box.current);
		look();
		return () => observer.disconnect();
	}, []);
	const total = followed.length, placed = useMemo(() => lanesOf(followed, names), [followed, names.caller, names.callee]), frame = frameOf(placed, view.width);
	useLayoutEffect(() => {
		atEnd.current ||= following;
	}, [following]);
	useLayoutEffect(() => {
		if (following && atEnd.current)
			box.current.scrollTop = box.current.scrollHeight;
		look();
	}, [total, following]);
	useLayoutEffect(() => {	// what is wider than the box is shown with the switch in its middle
		box.current.scrollLeft = frame.xs[frame.middle] - view.width / 2;
	}, [frame.lanes.length, view.width]);
	const index = followed.findIndex(one => itemKey(one.item) === selected);
	useEffect(() => {
		if (!refocus.current || index < 0)
			return;
		refocus.current = false;
		const top = index * ROW, head = box.current.firstElementChild.offsetHeight, { scrollTop, clientHeight } = box.current;
		if (top < scrollTop)
			box.current.scrollTop = top;
		else if (top + ROW + head > scrollTop + clientHeight)
			box.current.scrollTop = top + ROW + head - clientHeight;
		chosen.current?.focus({ preventScroll: true });
	}, [selected]);
	const move = to => {
		const next = Math.max(0, Math.min(total - 1, to));
		if (next === index || !total)
			return;
		refocus.current = true;
		onPick(itemKey(followed[next].item), true);
	};
	const key = event => {
		const page = Math.max(1, Math.floor(view.height / ROW) - 2);
		const to = { ArrowDown: index + 1, j: index + 1, ArrowUp: Math.max(0, index - 1), k: Math.max(0, index - 1), Home: 0, End: total - 1, PageDown: index + page, PageUp: Math.max(0, index - page) }[event.key];
		if (to === undefined || event.ctrlKey || event.metaKey || event.altKey)
			return;
		event.preventDefault();
		move(to);
	};
	const handle = useRef(null);
	handle.current = key;
	useEffect(() => {	// j and k also from elsewhere on the page, but where one types
		const any = event => (event.key === "j" || event.key === "k") && !event.defaultPrevented && !event.target.closest("input, select, textarea, dialog, [contenteditable]") && handle.current(event);
		document.addEventListener("keydown", any);
		return () => document.removeEventListener("keydown", any);
	}, []);
	const first = Math.max(0, Math.floor(view.top / ROW) - AROUND), last = Math.min(total, Math.ceil((view.top + view.height) / ROW) + AROUND);
	const seen = [...Array(Math.max(0, last - first)).keys()].map(i => first + i);
	if (index >= 0 && (index < first || index >= last))
		seen.push(index);	// it may have the focus
	const begin = total ? Date.parse(followed[0].item.at) : 0;
	return html`<div class="ladder-frame"><div class="ladder" ref=${box} onScroll=${look} onKeyDown=${key} role="region" aria-label=${label}>
		<div class="lanes" aria-hidden="true" style=${{ width: `${frame.width}px` }}><span class="when">s</span>${frame.lanes.map((lane, i) => html`<span key=${lane.key} class=${i === frame.middle ? "lane own" : "lane"} title=${`${lane.title}${lane.detail}`} style=${{ left: `${frame.xs[i] - frame.room[i]}px`, width: `${2 * frame.room[i]}px` }}>
			<b>${lane.name || lane.title}</b><small>${lane.name ? `${lane.title}${lane.detail}` : lane.detail}</small></span>`)}</div>
		<ol class="rungs" style=${{ height: `${total * ROW}px`, width: `${frame.width}px` }}>${seen.map(n => {
			const one = followed[n], mine = itemKey(one.item);
			return html`<${Row} key=${mine} one=${one} n=${n} total=${total} frame=${frame} begin=${begin} selected=${n === index} first=${index < 0 && n === first} onPick=${() => onPick(mine, false)} buttonRef=${n === index ? chosen : null} />`;
		})}</ol></div>
		${following && below && html`<button type="button" class="small newest" onClick=${() => { box.current.scrollTop = box.current.scrollHeight; }}>Newest ↓</button>`}</div>`;
}
