// The calls there are now, kept up to date by the event stream.
import { all, call, may, path } from "./api.js";
import { serverNow } from "./clock.js";
import { Dialog, Fault } from "./dialog.js";
import { State } from "./glyph.js";
import { watchCalls } from "./live.js";
import { link } from "./route.js";
import { Store, useStore } from "./store.js";
import { Table, useSorted } from "./table.js";
import { clockTime, ms, useNow } from "./time.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const TELL_MS = 250;		// hundreds of events a second are shown four times in it
const HELD_MS = 5000;		// rows stay where they are for so long while somebody points at them
const LIST_EVERY_MS = 60000;	// a call whose end nobody told must not stay

// id → call, which has also: name, its id, for tables; began, when it was answered by this browser's clock
const calls = new Store({ rows: new Map(), state: "unknown", error: null });
const order = ["setup", "ringing", "answered", "ended"];
let telling = 0, listing = null, again = false;	// listing: ids that events told of while the list is asked for

function tell() {
	telling ||= setTimeout(() => { telling = 0; calls.changed(); }, TELL_MS);
}

// An event of a slot that has another call by now knows little; a list may be older than an event.
function put(call) {
	const { rows } = calls.value, old = rows.get(call.id);
	const told = Object.fromEntries(Object.entries(call).filter(([, value]) => value !== null));
	const row = old && order.indexOf(call.phase) < order.indexOf(old.phase) ? { ...call, ...old } : { ...call, ...old, ...told };
	row.began = row.answered_at ? old?.began ?? serverNow() - row.duration_ms : null;
	rows.set(call.id, { ...row, name: call.id });
}

function take(event) {
	if (!event) {
		load();
		return;
	}
	listing?.add(event.id);
	if (event.phase === "ended")
		calls.value.rows.delete(event.id);
	else
		put(event);
	tell();
}

async function load() {
	if (listing) {
		again = true;
		return;
	}
	listing = new Set();
	again = false;
	try {
		const items = await all("/calls"), listed = new Set(items.map(item => item.id)), { rows } = calls.value;
		for (const item of items)
			if (rows.has(item.id) || !listing.has(item.id))	// else it has ended meanwhile
				put(item);
		for (const id of [...rows.keys()])
			if (!listed.has(id) && !listing.has(id))
				rows.delete(id);
		calls.set({ rows, state: "loaded", error: null });
	} catch (error) {
		calls.set({ ...calls.value, error });
	} finally {
		listing = null;
		if (again)
			load();
	}
}

function useCalls() {
	useEffect(() => {
		const unwatch = watchCalls(take), timer = setInterval(load, LIST_EVERY_MS);
		load();
		return () => { unwatch(); clearInterval(timer); };
	}, []);
	return useStore(calls);
}

const phases = { setup: "busy", ringing: "queue", answered: "good", ended: "gone" };
export const gatewayLink = (kind, name) => name ? html`<a href=${link([kind, name])}>${name}</a>` : html`<span class="faint">–</span>`;

// The number that it came with, and the one that it went on with; a narrow table has no room for a column of `to`.
export const Number = ({ first, then, to }) => html`<span class="first">${first || "–"}</span>${then && then !== first && html`<small class="note mid-only">→ ${then}</small>`}${to && html`<small class="note narrow-only">to ${to}</small>`}`;

function HangUp({ row, onClose }) {
	const [busy, setBusy] = useState(false), [error, setError] = useState(null);
	const hangUp = async event => {
		event.preventDefault();
		setBusy(true);
		await call("DELETE", path("calls", row.id)).then(onClose, problem => problem.status === 404 ? onClose() : setError(problem));
		setBusy(false);
	};
	return html`<${Dialog} title="Hang up this call?" onClose=${onClose}><form onSubmit=${hangUp}>
		<p><b>${row.caller_in || "?"}</b> → <b>${row.callee_in || "?"}</b>, ${row.answered_at ? `answered ${clockTime(row.answered_at)}` : "not answered yet"}. Both sides are told; they can call again.</p>
		<${Fault} error=${error} />
		<footer><button type="button" class="secondary" onClick=${onClose}>Leave it</button><button type="submit" class="danger" disabled=${busy} aria-busy=${busy}>Hang up</button></footer></form></${Dialog}>`;
}

// "0:14", "1:02:03"
function lasts(row, now) {
	const s = Math.max(0, Math.floor((now - row.began) / 1000)), two = n => String(n).padStart(2, "0");
	if (!row.began)
		return "";
	return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

const columns = (now, hangUp) => [
	{ key: "state", title: "State", class: "phase", value: row => row.phase, cell: row => html`<${State} name=${phases[row.phase] || "unknown"} text=${row.phase} title=${`since ${row.answered_at || row.ringing_at || row.setup_at}`} />` },
	{ key: "from", title: "From", value: row => row.caller_in, cell: row => html`<${Number} first=${row.caller_in} then=${row.caller_out} to=${row.callee_in} />` },
	{ key: "to", title: "To", class: "mid-only", value: row => row.callee_in, cell: row => html`<${Number} first=${row.callee_in} then=${row.routed} />` },
	{ key: "in", title: "Came by", class: "mid-only", value: row => row.mapping_gateway, cell: row => gatewayLink("mapping-gateways", row.mapping_gateway) },
	{ key: "out", title: "Goes by", class: "mid-only", value: row => row.routing_gateway, cell: row => gatewayLink("routing-gateways", row.routing_gateway) },
	{ key: "since", title: "Began", class: "wide-only", value: row => ms(row.setup_at), cell: row => html`<span title=${row.setup_at}>${clockTime(row.setup_at)}</span>` },
	{ key: "duration", title: "Lasts", class: "lasts", value: row => row.began ? -row.began : null, cell: row => lasts(row, now) },
	{ key: "act", title: "Actions", class: "acts", cell: row => html`<span class="tools"><a href=${link(["trace"], { call: row.id, follow: "1" })}>Ladder<span class="hidden-text"> of the call from ${row.caller_in} to ${row.callee_in}</span></a>
		${may("operator") && row.phase !== "ended" && html`<button type="button" class="secondary danger small" onClick=${() => hangUp(row)}>Hang up<span class="hidden-text"> the call from ${row.caller_in} to ${row.callee_in}</span></button>`}</span>` },
];

const numbers = ["caller_in", "caller_out", "callee_in", "routed"];

export function LiveCalls({ query, set }) {
	const table = useCalls(), now = useNow(), [ending, setEnding] = useState(null), [held, hold] = useState({});
	const sort = { by: query.sort || "since", down: query.sort ? query.down === "1" : true }, cols = columns(now, setEnding), { rows } = table;
	const gateway = query.gateway || "", number = (query.number || "").toLowerCase();
	const shown = useSorted(rows.values(), calls.version, cols, sort, { key: `${gateway}|${number}|${table.state}`, test: row => (!gateway || row.mapping_gateway === gateway || row.routing_gateway === gateway) &&
		(!number || numbers.some(name => row[name]?.toLowerCase().includes(number))) }, held.pointer || held.focus ? HELD_MS : undefined);
	const holder = (what, on) => () => hold(old => ({ ...old, [what]: on }));
	return html`<${Fault} error=${table.error} />
		<div onPointerEnter=${holder("pointer", true)} onPointerLeave=${holder("pointer", false)} onFocusIn=${holder("focus", true)} onFocusOut=${holder("focus", false)}><${Table} label="Calls now" columns=${cols} rows=${shown} current=${row => rows.get(row.id) || { ...row, phase: "ended" }} sort=${sort} setSort=${next => set({ sort: next.by, down: next.down ? "1" : "" })}
			empty=${table.state !== "loaded" ? "Being loaded …" : rows.size ? "None is like that." : "There is no call."} /></div>
		<p class="foot">${gateway || number ? `${shown.length.toLocaleString()} of ` : ""}${plural(rows.size, "call")} now${held.pointer || held.focus ? "; rows stay in place while you are at them" : ""}</p>
		${ending && html`<${HangUp} row=${ending} onClose=${() => setEnding(null)} />`}`;
}
