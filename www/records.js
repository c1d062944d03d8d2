// Records of calls that are over.
import { get } from "./api.js";
import { serverNow } from "./clock.js";
import { mark } from "./codes.js";
import { Dialog, Fault } from "./dialog.js";
import { State } from "./glyph.js";
import { watchCalls } from "./live.js";
import { gatewayLink, Number } from "./live-calls.js";
import { link } from "./route.js";
import { useLoad } from "./store.js";
import { sorted, Table } from "./table.js";
import { clockTime, ms, span } from "./time.js";
import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { plural } from "./words.js";

const PAGE = 200;
const PAGES_MOST = 20;		// that may be empty one after the other; then the reader is asked whether to search on
const filterNames = ["since", "until", "gateway", "number", "code"];

export function Outcome({ record }) {
	const { code, phrase } = record;
	const { glyph, word } = mark(code);
	return html`<${State} name=${glyph} text=${code ? `${code} ${phrase || ""}`.trim() : "none"} title=${word} />`;
}

// {rows, next, busy, error, more, reload}: page by page, until there is something to show
function useRecords(query) {
	const key = JSON.stringify(filterNames.map(name => query[name] || "")), [round, again] = useState(0), turn = useRef(0);
	const [state, set] = useState({ rows: [], next: null, busy: true });
	const load = async (rows, cursor) => {
		const mine = ++turn.current;
		set(old => ({ ...old, rows, busy: true, error: null }));
		try {
			const filter = Object.fromEntries(filterNames.map(name => [name, query[name]]));
			let next = cursor, found = [], pages = 0;
			do {
				const answer = await get("/cdrs", { ...filter, limit: PAGE, cursor: next });
				next = answer.next;
				found = found.concat(answer.items);
			} while (next && found.length < PAGE / 2 && ++pages < PAGES_MOST && turn.current === mine);
			if (turn.current === mine)
				set({ rows: [...rows, ...found.map(one => ({ ...one, name: one.id }))], next, busy: false });
		} catch (error) {
			if (turn.current === mine)
				set(old => ({ ...old, busy: false, error }));
		}
	};
	useEffect(() => {
		load([], undefined);
		return () => { turn.current++; };
	}, [key, round]);
	return { ...state, more: () => load(state.rows, state.next), reload: () => again(n => n + 1) };
}

// How many calls ended since the list was asked for.
function useEnded(rows) {
	const [count, set] = useState(0), pending = useRef(0);
	useEffect(() => {
		pending.current = 0;
		set(0);
		const unwatch = watchCalls(event => { if (event?.phase === "ended") pending.current++; });
		const timer = setInterval(() => set(pending.current), 1000);
		return () => { unwatch(); clearInterval(timer); };
	}, [rows]);
	return count;
}

const length = record => !record.answered_at ? "–" : record.duration_ms < 10000 ? `${(record.duration_ms / 1000).toFixed(1)} s` : span(record.duration_ms / 1000);
const delay = pdd => pdd === null || pdd === undefined ? "–" : pdd < 10000 ? `${pdd.toLocaleString()} ms` : span(pdd / 1000);

const columns = open => [
	{ key: "when", title: "Ended", class: "lasts", value: row => ms(row.ended_at), cell: row => html`<button type="button" class="link" title=${row.ended_at} onClick=${() => open(row.id)}>${clockTime(row.ended_at)}<span class="hidden-text">: details</span></button>` },
	{ key: "code", title: "Outcome", class: "result", value: row => row.code, cell: row => html`<${Outcome} record=${row} />` },
	{ key: "from", title: "From", value: row => row.caller_in, cell: row => html`<${Number} first=${row.caller_in} then=${row.caller_out} to=${row.callee_in} />` },
	{ key: "to", title: "To", class: "mid-only", value: row => row.callee_in, cell: row => html`<${Number} first=${row.callee_in} then=${row.to_out} />` },
	{ key: "in", title: "Came by", class: "mid-only", value: row => row.mapping_gateway, cell: row => gatewayLink("mapping-gateways", row.mapping_gateway) },
	{ key: "out", title: "Went by", class: "mid-only", value: row => row.routing_gateway, cell: row => gatewayLink("routing-gateways", row.routing_gateway) },
	{ key: "pdd", title: "Rang after", class: "wide-only", value: row => row.pdd_ms, cell: row => delay(row.pdd_ms) },
	{ key: "duration", title: "Duration", class: "mid-only", value: row => row.answered_at ? row.duration_ms : null, cell: row => length(row) },
	{ key: "by", title: "Ended by", class: "wide-only", value: row => row.hung_up_by, cell: row => row.hung_up_by || "–" },
];

const Fact = ({ name, title, children }) => html`<div><dt title=${title}>${name}</dt><dd>${children === null || children === undefined || children === "" ? html`<span class="faint">none</span>` : children}</dd></div>`;

const modes = { on: "on: the Request-URI has the Contact's number", off: "off: the Request-URI has the routed number" };

function Tried({ record }) {
	const tried = record.tried || [], skipped = record.skipped || [];
	if (!tried.length && !skipped.length)
		return html`<p class="faint">No gateway was tried.</p>`;
	return html`<ol class="tried">${tried.map((one, i) => html`<li key=${`t${i}`}>${gatewayLink("routing-gateways", one.gateway)} ${one.code ? html`<${Outcome} record=${{ code: one.code }} />` : html`<${State} name="bad" text="no answer" />`}</li>`)}
		${skipped.map((one, i) => html`<li key=${`s${i}`}>${gatewayLink("routing-gateways", one.gateway)} <${State} name="off" text=${`skipped: ${one.why}`} /></li>`)}</ol>`;
}

function Details({ record }) {
	return html`<p class="lead"><${Outcome} record=${record} /> <b>${record.caller_in || "?"}</b> → <b>${record.callee_in || "?"}</b> <a href=${link(["trace"], { record: record.id })}>Ladder</a></p>
		<dl class="facts"><${Fact} name="Began">${html`<span title=${record.setup_at}>${clockTime(record.setup_at)}</span>`}</${Fact}><${Fact} name="Rang">${record.ringing_at && html`<span title=${record.ringing_at}>${clockTime(record.ringing_at)}</span>`}</${Fact}>
			<${Fact} name="Answered">${record.answered_at && html`<span title=${record.answered_at}>${clockTime(record.answered_at)}</span>`}</${Fact}><${Fact} name="Ended">${html`<span title=${record.ended_at}>${clockTime(record.ended_at)}</span>`}</${Fact}>
			<${Fact} name="Rang after">${delay(record.pdd_ms)}</${Fact}><${Fact} name="Duration">${length(record)}</${Fact}><${Fact} name="Ended by">${record.hung_up_by}</${Fact}>
			<${Fact} name="Came by">${record.mapping_gateway && gatewayLink("mapping-gateways", record.mapping_gateway)}</${Fact}><${Fact} name="Went by">${record.routing_gateway && gatewayLink("routing-gateways", record.routing_gateway)}</${Fact}>
			${record.registration && html`<${Fact} name="Registration">${gatewayLink("registrations", record.registration)}</${Fact}>`}</dl>
		<h3>Called number, step by step</h3>
		<dl class="facts"><${Fact} name="Request-URI in">${record.request_uri_in}</${Fact}><${Fact} name="To in">${record.to_in}</${Fact}><${Fact} name="Callee as taken">${record.callee_in}</${Fact}><${Fact} name="Original">${record.original}</${Fact}>
			<${Fact} name="Routed">${record.routed}</${Fact}><${Fact} name="To out">${record.to_out}</${Fact}><${Fact} name="Callee for billing">${record.billing_callee}</${Fact}><${Fact} name="Invite use contact" title="invite_use_contact">${modes[record.invite_use_contact] || record.invite_use_contact}</${Fact}></dl>
		<h3>Calling number</h3><dl class="facts"><${Fact} name="In">${record.caller_in}</${Fact}><${Fact} name="Out">${record.caller_out}</${Fact}></dl>
		<h3>Gateways</h3><${Tried} record=${record} />
		<h3>Call-IDs</h3><dl class="facts"><${Fact} name="In">${record.call_id_in && html`<code>${record.call_id_in}</code>`}</${Fact}><${Fact} name="Out">${record.call_id_out && html`<code>${record.call_id_out}</code>`}</${Fact}></dl>`;
}

function RecordDialog({ id, known, onClose }) {
	const { data, error } = useLoad(() => known ? Promise.resolve(known) : get(`/cdrs/${encodeURIComponent(id)}`), [id]);
	return html`<${Dialog} title="Call record" onClose=${onClose} wide><${Fault} error=${error} />${data ? html`<${Details} record=${data} />` : !error && html`<p aria-busy="true">Being loaded …</p>`}</${Dialog}>`;
}

// RFC 3339 ↔ what a field of the browser's own zone takes
function localTime(at) {
	const then = new Date(at);
	return Number.isNaN(then.getTime()) ? "" : new Date(then.getTime() - then.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

const fromLocal = text => text ? new Date(text).toISOString() : "";
const spans = [["15 min", 900], ["hour", 3600], ["day", 86400], ["week", 604800]];

export function RecordFilters({ query, set }) {
	return html`<label>From<input type="datetime-local" value=${query.since ? localTime(query.since) : ""} onChange=${event => set({ since: fromLocal(event.target.value) })} /></label>
		<label>Until<input type="datetime-local" value=${query.until ? localTime(query.until) : ""} onChange=${event => set({ until: fromLocal(event.target.value) })} /></label>
		<label>Code<input type="number" class="number" min="100" max="699" placeholder="any" value=${query.code || ""} onChange=${event => set({ code: event.target.value })} /></label>
		<div class="chips" role="toolbar" aria-label="The last">${spans.map(([word, seconds]) => html`<button key=${word} type="button" class="chip" onClick=${() => set({ since: new Date(serverNow() - seconds * 1000).toISOString(), until: "" })}>last ${word}</button>`)}
			<button type="button" class="chip" onClick=${() => set({ since: "", until: "", code: "" })}>any time and code</button></div>`;
}

export function Records({ query, set }) {
	const { rows, next, busy, error, more, reload } = useRecords(query), ended = useEnded(rows);
	const sort = { by: query.by || "when", down: query.by ? query.down === "1" : true }, cols = columns(id => set({ record: id }));
	const shown = useMemo(() => sorted(rows, cols, sort), [rows, sort.by, sort.down]);
	return html`<${Fault} error=${error} />
		<${Table} label="Call records" columns=${cols} rows=${shown} sort=${sort} setSort=${to => set({ by: to.by, down: to.down ? "1" : "" })}
			empty=${busy ? "Being loaded …" : error ? "" : next ? "None of the newest is like that." : "No call record is like that."} />
		<div class="below"><p class="foot" role="status">${plural(rows.length, "record")}${next ? ", there are older ones" : ""}</p>
			${next && html`<button type="button" class="secondary small" disabled=${busy} aria-busy=${busy} onClick=${more}>${rows.length ? "Older" : "Search on"}</button>`}
			<button type="button" class="secondary small" disabled=${busy} onClick=${reload}>Reload${ended > 0 ? ` (${plural(ended, "call")} ended since)` : ""}</button></div>
		${query.record && html`<${RecordDialog} id=${query.record} known=${rows.find(row => row.id === query.record)} onClose=${() => set({ record: "" })} />`}`;
}
